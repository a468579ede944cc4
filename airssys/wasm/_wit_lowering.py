"""Python values into wasmtime's memory, by code generated from their types.

A `wasmtime_component_val_t` is 32 bytes: the kind in the first word, what it is from
the second on. Aggregates point to arrays of more such values, a record to entries of
48 bytes (name, then value).

The shape of a type is laid out once. All values of fixed number (record fields, option
and result payloads) have their place in the frame from the beginning: the generated
`prepare` writes kinds, names and pointers, and `lower` only what changes. Strings and
lists, whose size varies, are put behind. Where a variant's cases share a place, `lower`
prepares the one that it writes.

Code is generated because a component-message has sixteen values: a closure for each
took 8 us, which is more than the call itself; straight code takes 3.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

import attrs

from ._c_api import FIELD_SIZE, VAL_SIZE, Kind
from ._wit_memory import Block, Frame
from ._wit_text import Name, TextRows, unfit
from ._wit_types import (
    Case,
    Enum,
    Err,
    List,
    Number,
    Ok,
    Option,
    Record,
    Result,
    String,
    Tuple,
    Variant,
    WitType,
)

Prepare: TypeAlias = Callable[[Block, int, int], None]
"""Block, word where the value goes, word where its fixed places begin."""
Lower: TypeAlias = Callable[[Frame, Block, int, int, Any], None]
"""Frame, block, the same two words, the Python value."""

_VAL: Final = VAL_SIZE // 8
_FIELD: Final = FIELD_SIZE // 8
_NAME: Final = _FIELD - _VAL
_MASK: Final = 2**64 - 1

KIND_OF_NUMBER: Final = {number: getattr(Kind, number.name) for number in Number}


def fixed_words(wit: WitType) -> int:
    """How many words of fixed places a type has, besides the value itself."""
    match wit:
        case Record(fields):
            return sum(_FIELD + fixed_words(field) for _, field in fields)
        case Tuple(elements):
            return sum(_VAL + fixed_words(element) for element in elements)
        case Option(some):
            return _VAL + fixed_words(some)
        case Variant(cases):
            return _VAL + max((fixed_words(t) for _, t in cases if t), default=0)
        case Result(ok, err):
            return _VAL + max((fixed_words(t) for t in (ok, err) if t), default=0)
        case _:
            return 0


@functools.lru_cache(maxsize=1024)
def generate(wit: WitType, path: str) -> tuple[Prepare, Lower]:
    """Make the two functions for a type; errors name `path` and what is below it.

    They are made once for all engines: the whole world takes 40 ms.
    """
    source = _Source()
    prepare = _Writer(source, ["def prepare(block, a, m):", "    w = block.words"])
    prepare.lines.append("    base = block.base")
    prepare.prepare(wit, _Place("a", 0), _Place("m", 0))
    head = ["def lower(frame, block, a, m, v):", "    w = block.words"]
    lower = _Writer(source, [*head, "    base = block.base"])
    lower.lower(wit, _Place("a", 0), _Place("m", 0), "v", path)
    code = "\n".join([*prepare.lines, *lower.lines])
    # The text holds types and names of fields from our own tables, never user data.
    exec(compile(code, f"<lowering of {path}>", "exec"), source.names)  # noqa: S102  # see above
    return source.names["prepare"], source.names["lower"]


@final
@attrs.frozen
class _Place:
    """A word in a block: a variable and a number of words behind it."""

    variable: str
    words: int

    def plus(self, words: int) -> _Place:
        return _Place(self.variable, self.words + words)

    def __str__(self) -> str:
        return f"{self.variable} + {self.words}" if self.words else self.variable


@final
class _Source:
    """The names that generated code refers to."""

    def __init__(self) -> None:
        self.kept: list[Name] = []
        self.names: dict[str, Any] = {
            "Case": Case,
            "Err": Err,
            "Ok": Ok,
            "as_bytes": _as_bytes,
            "kept": self.kept,
            "list_of": _lower_list,
            "unfit": unfit,
        }

    def place_of(self, text: str) -> tuple[int, int]:
        """Keep a name in memory; its size and address go into the text as numbers."""
        name = Name(text)
        self.kept.append(name)
        return name.place

    def add(self, value: object) -> str:
        """Give a value a name in the generated code."""
        name = f"x{len(self.names)}"
        self.names[name] = value
        return name


@final
class _Writer:
    """Writes the body of one generated function."""

    def __init__(self, source: _Source, lines: list[str]) -> None:
        self.source = source
        self.lines = lines
        self.depth = 1
        self.variables = 0

    def say(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    def fresh(self) -> str:
        self.variables += 1
        return f"v{self.variables}"

    def prepare(self, wit: WitType, at: _Place, more: _Place) -> None:
        """Write what never changes."""
        self.say(f"w[{at}] = {_kind(wit)}")
        match wit:
            case Record() | Tuple():
                self._prepare_row(wit, at, more)
            case Option(some):
                self.prepare(some, more, more.plus(_VAL))
            case _:
                pass

    def _prepare_row(self, wit: Record | Tuple, at: _Place, more: _Place) -> None:
        row = _row(wit)
        self.say(f"w[{at.plus(1)}] = {len(row)}")
        self.say(f"w[{at.plus(2)}] = base + 8 * ({more})")
        for name, field, place, inner in row:
            if name:
                size, address = self.source.place_of(name)
                self.say(f"w[{more.plus(place - _NAME)}] = {size}")
                self.say(f"w[{more.plus(place - _NAME + 1)}] = {address}")
            self.prepare(field, more.plus(place), more.plus(inner))

    def lower(  # noqa: C901  # one match over a closed union
        self, wit: WitType, at: _Place, more: _Place, v: str, path: str
    ) -> None:
        """Write what changes, from the Python value in the variable `v`."""
        first, second = at.plus(1), at.plus(2)
        match wit:
            case Number():
                self._lower_number(wit, first, v, path)
            case String():
                self._require(f"isinstance({v}, str)", v, path, "str")
                self.say(f"w[{first}], w[{second}] = frame.put_text({v})")
            case List(Number.U8):
                self.say(f"if type({v}) is not bytes: {v} = as_bytes({v}, {path!r})")
                self.say(f"w[{first}] = len({v})")
                self.say(f"w[{second}] = frame.put_byte_values({v})")
            case List(element):
                item = self.source.add(
                    (_stride(element), generate(element, f"{path}[]"))
                )
                call = f"list_of(frame, {item}, {v}, {path!r})"
                self.say(f"w[{first}], w[{second}] = {call}")
            case Record() if _is_all_text(wit):
                self._lower_text_record(wit, more, v, path)
            case Record() | Tuple():
                self._lower_row(wit, more, v, path)
            case Enum(cases):
                table = {case: self.source.place_of(case) for case in cases}
                table_name = self.source.add(table)
                self._require(f"{v} in {table_name}", v, path, " | ".join(cases))
                self.say(f"w[{first}], w[{second}] = {table_name}[{v}]")
            case Option(some):
                self.say(f"if {v} is None: w[{first}] = 0")
                self.say("else:")
                self.depth += 1
                self.say(f"w[{first}] = base + 8 * ({more})")
                self.lower(some, more, more.plus(_VAL), v, path)
                self.depth -= 1
            case Variant(cases):
                self._lower_variant(cases, at, more, v, path)
            case Result(ok, err):
                self._lower_result((ok, err), at, more, v, path)

    def _require(self, condition: str, v: str, path: str, wanted: str) -> None:
        self.say(f"if not ({condition}): unfit({path!r}, {v}, {wanted!r})")

    def _lower_number(self, number: Number, place: _Place, v: str, path: str) -> None:
        name, code, low, high = number.value
        if number is Number.BOOL:
            self._require(f"{v} is True or {v} is False", v, path, name)
        else:
            fits = f"type({v}) is int and {low} <= {v} <= {high}"
            self._require(fits, v, path, name)
        signed = code.islower() and low < 0
        self.say(f"w[{place}] = {v} & {_MASK}" if signed else f"w[{place}] = {v}")

    def _lower_text_record(self, wit: Record, more: _Place, v: str, path: str) -> None:
        """Write a record of strings, such as an identity, as it was made before."""
        rows = self.source.add(TextRows(wit, path))
        words = len(wit.fields) * _FIELD
        row = self.fresh()
        self.say(f"{row} = {rows}.find({v})")
        self.say(f"frame.borrowed.append({row})")
        self.say(f"block.data[8 * ({more}) : 8 * ({more.plus(words)})] = {row}.data")

    def _lower_row(self, wit: Record | Tuple, more: _Place, v: str, path: str) -> None:
        row = _row(wit)
        fits = f"isinstance({v}, tuple) and len({v}) == {len(row)}"
        self._require(fits, v, path, f"tuple of {len(row)}")
        names = [self.fresh() for _ in row]
        self.say(f"{', '.join(names)}, = {v}")
        for index, (name, field, place, inner) in enumerate(row):
            below = f"{path}.{name or index}"
            self.lower(field, more.plus(place), more.plus(inner), names[index], below)

    def _lower_variant(
        self,
        cases: tuple[tuple[str, WitType | None], ...],
        at: _Place,
        more: _Place,
        v: str,
        path: str,
    ) -> None:
        names = " | ".join(name for name, _ in cases)
        self._require(f"type({v}) is Case", v, path, names)
        chosen = self.fresh()
        self.say(f"{chosen} = {v}.name")
        for name, payload in cases:
            self.say(f"if {chosen} == {name!r}:")
            self.depth += 1
            size, address = self.source.place_of(name)
            self.say(f"w[{at.plus(1)}] = {size}")
            self.say(f"w[{at.plus(2)}] = {address}")
            self._lower_payload(
                payload, at.plus(3), more, f"{v}.value", f"{path}.{name}"
            )
            self.depth -= 1
        known = self.source.add(frozenset(name for name, _ in cases))
        self._require(f"{chosen} in {known}", v, path, names)

    def _lower_result(
        self,
        sides: tuple[WitType | None, WitType | None],
        at: _Place,
        more: _Place,
        v: str,
        path: str,
    ) -> None:
        self._require(f"type({v}) is Ok or type({v}) is Err", v, path, "Ok | Err")
        self.say(f"w[{at.plus(1)}] = type({v}) is Ok")
        for name, side in zip(("Ok", "Err"), sides, strict=True):
            self.say(f"if type({v}) is {name}:")
            self.depth += 1
            below = f"{path}.{name.lower()}"
            self._lower_payload(side, at.plus(2), more, f"{v}.value", below)
            self.depth -= 1

    def _lower_payload(
        self, wit: WitType | None, pointer: _Place, more: _Place, v: str, path: str
    ) -> None:
        if wit is None:
            self.say(f"w[{pointer}] = 0")
            return
        inner = self.fresh()
        self.say(f"{inner} = {v}")
        self.say(f"w[{pointer}] = base + 8 * ({more})")
        self.prepare(wit, more, more.plus(_VAL))
        self.lower(wit, more, more.plus(_VAL), inner, path)


def _is_all_text(wit: Record) -> bool:
    return all(isinstance(field, String) for _, field in wit.fields)


def _kind(wit: WitType) -> int:
    if isinstance(wit, Number):
        return int(KIND_OF_NUMBER[wit])
    return int(getattr(Kind, type(wit).__name__.upper()))


def _row(wit: Record | Tuple) -> list[tuple[str, WitType, int, int]]:
    """Name, type, word of the value and of its fixed places, for each in the row."""
    if isinstance(wit, Record):
        named, stride, lead = list(wit.fields), _FIELD, _NAME
    else:
        named, stride, lead = [("", each) for each in wit.elements], _VAL, 0
    row, inner = [], len(named) * stride
    for index, (name, field) in enumerate(named):
        row.append((name, field, index * stride + lead, inner))
        inner += fixed_words(field)
    return row


def _stride(element: WitType) -> int:
    return _VAL + fixed_words(element)


def _lower_list(
    frame: Frame,
    item: tuple[int, tuple[Prepare, Lower]],
    values: Any,
    path: str,
) -> tuple[int, int]:
    stride, (prepare, lower) = item
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        unfit(path, values, "list")
    count = len(values)
    block, at = frame.reserve(count * stride * 8)
    first, more = at // 8, at // 8 + count * _VAL
    for index, value in enumerate(values):
        inner = more + index * (stride - _VAL)
        prepare(block, first + index * _VAL, inner)
        lower(frame, block, first + index * _VAL, inner, value)
    return count, block.base + at


def _as_bytes(value: object, path: str) -> bytes | bytearray | memoryview:
    if isinstance(value, memoryview):
        return value.cast("B") if value.c_contiguous else value.tobytes()
    if not isinstance(value, (bytes, bytearray)):
        unfit(path, value, "bytes")
    return value
