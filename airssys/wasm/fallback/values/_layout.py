"""Where the parts of a type are in wasmtime's memory, in words of eight bytes.

A `wasmtime_component_val_t` is 32 bytes: the kind in the first word, the content from
the second on. Aggregates point to arrays of more such values, a record to entries of 48
bytes (name, then value).

The shape of a type is laid out once. All values of fixed number (record fields, option
and result payloads) have a fixed place: a value has its own four words somewhere, and
somewhere else as many *fixed words* as its type needs below it. Strings and lists,
whose size varies, are put after them.
"""

from __future__ import annotations

from typing import Final

from airssys.wasm._c_api import FIELD_SIZE, VAL_SIZE, Kind
from airssys.wasm.values import (
    Borrow,
    Float,
    Number,
    Option,
    Own,
    Record,
    Result,
    Tuple,
    Variant,
    WitType,
)

VAL: Final = VAL_SIZE // 8
FIELD: Final = FIELD_SIZE // 8
NAME: Final = FIELD - VAL


def fixed_words(wit: WitType) -> int:
    """Return how many fixed words a type has, besides the value itself."""
    match wit:
        case Record(fields):
            return sum(FIELD + fixed_words(field) for _, field in fields)
        case Tuple(elements):
            return sum(VAL + fixed_words(element) for element in elements)
        case Option(some):
            return VAL + fixed_words(some)
        case Variant(cases):
            return VAL + max((fixed_words(t) for _, t in cases if t), default=0)
        case Result(ok, err):
            return VAL + max((fixed_words(t) for t in (ok, err) if t), default=0)
        case _:
            return 0


def kind_of(wit: WitType) -> int:
    """Return the discriminant of a type's values."""
    match wit:
        case Number() | Float():
            name = wit.name
        case Own() | Borrow():
            name = "RESOURCE"
        case _:
            name = type(wit).__name__.upper()
    return int(getattr(Kind, name))


def row_of(wit: Record | Tuple) -> list[tuple[str, WitType, int, int]]:
    """Return name, type, and the words of the value and its fixed places, for each."""
    if isinstance(wit, Record):
        named, stride, lead = list(wit.fields), FIELD, NAME
    else:
        named, stride, lead = [("", each) for each in wit.elements], VAL, 0
    row, inner = [], len(named) * stride
    for index, (name, field) in enumerate(named):
        row.append((name, field, index * stride + lead, inner))
        inner += fixed_words(field)
    return row


def stride_of(element: WitType) -> int:
    """Return how many words a value needs with its fixed places."""
    return VAL + fixed_words(element)
