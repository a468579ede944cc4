"""Draws WIT types, and their values as lifting gives them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from airssys.wasm.values._types import (
    BYTES,
    CHAR,
    STRING,
    Case,
    Char,
    Enum,
    Err,
    Flags,
    Float,
    List,
    Number,
    Ok,
    Option,
    Record,
    Result,
    Some,
    Tuple,
    Variant,
    WitType,
)

DEEPEST = 4
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z][a-z0-9]{0,3})?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
SIMPLE: list[WitType] = [*Number, *Float, CHAR, STRING, BYTES]
NESTED = ["list", "option", "result", "record", "tuple", "variant"]


@st.composite
def types(draw: Any, depth: int = DEEPEST) -> WitType:
    """Draw a type, nested up to so deep."""
    kind = draw(st.sampled_from(["simple", *NESTED] if depth else ["simple"]))
    inner = types(depth=depth - 1)
    maybe = st.none() | inner
    match kind:
        case "list":
            return List(draw(inner))
        case "option":
            return Option(draw(inner))
        case "result":
            return Result(draw(maybe), draw(maybe))
        case "record":
            return Record(draw(_named(inner)))
        case "tuple":
            return Tuple(tuple(draw(st.lists(inner, min_size=1, max_size=3))))
        case "variant":
            return Variant(draw(_named(maybe)))
        case _:
            names = st.lists(NAMES, min_size=1, max_size=5, unique=True).map(tuple)
            return draw(st.sampled_from(SIMPLE) | names.map(Enum) | names.map(Flags))


def _named(inner: Any) -> Any:
    pairs = st.tuples(NAMES, inner)
    lists = st.lists(pairs, min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    return lists.map(tuple)


def values_of(wit: WitType) -> Any:  # noqa: C901  # one match over a closed union
    """All values of a type, as lifting gives them."""
    match wit:
        case Number.BOOL:
            return st.booleans()
        case Number():
            _, _, low, high = wit.value
            return st.integers(low, high) | st.sampled_from([low, high])
        case Float():
            return st.floats(width=32 if wit is Float.F32 else 64)
        case Char():
            return st.characters(exclude_categories=["Cs"])
        case List(Number.U8):
            return st.binary(max_size=40)
        case List(element):
            return st.lists(values_of(element), max_size=7).map(tuple)
        case Record(fields):
            return st.tuples(*(values_of(field) for _, field in fields))
        case Tuple(elements):
            return st.tuples(*map(values_of, elements))
        case Enum(cases):
            return st.sampled_from(cases)
        case Flags(names):
            return st.frozensets(st.sampled_from(names))
        case Variant(cases):
            return st.one_of(
                [st.builds(Case, st.just(name), _optional(wit)) for name, wit in cases]
            )
        case Option(some):
            values = values_of(some)
            wrapped = values.map(Some) if isinstance(some, Option) else values
            return st.none() | wrapped
        case Result(ok, err):
            return st.builds(Ok, _optional(ok)) | st.builds(Err, _optional(err))
        case _:
            return TEXTS


def _optional(wit: WitType | None) -> Any:
    return st.none() if wit is None else values_of(wit)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same: in type, sign of zero and being NaN too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return repr(one) == repr(other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


TYPED_VALUES = types().flatmap(lambda wit: st.tuples(st.just(wit), values_of(wit)))
