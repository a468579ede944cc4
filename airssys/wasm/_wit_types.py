"""WIT types as values: the table that marshalling is compiled from.

How each type looks in Python:

======================  ==========================================================
bool, integers, floats  bool, int, float
string                  str
list<u8>                bytes
list<T>                 a sequence in, a tuple out
record                  a tuple of its fields, in the order of the WIT text
tuple                   a tuple
enum                    its case as str
variant                 `Case(name, value)`, value None where the case has none
option                  None or the value
result                  `Ok(value)` or `Err(value)`
======================  ==========================================================
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple, TypeAlias, final

import attrs


@final
class Number(enum.Enum):
    """The types that are one machine word: kind, struct format, lowest, highest."""

    BOOL = ("bool", "?", 0, 1)
    U8 = ("u8", "B", 0, 2**8 - 1)
    U16 = ("u16", "H", 0, 2**16 - 1)
    U32 = ("u32", "I", 0, 2**32 - 1)
    U64 = ("u64", "Q", 0, 2**64 - 1)
    S32 = ("s32", "i", -(2**31), 2**31 - 1)
    S64 = ("s64", "q", -(2**63), 2**63 - 1)


@final
@attrs.frozen
class String:
    """`string`."""


@final
@attrs.frozen
class List:
    """`list<element>`."""

    element: WitType


@final
@attrs.frozen
class Record:
    """`record`: named fields in order."""

    fields: tuple[tuple[str, WitType], ...]


@final
@attrs.frozen
class Tuple:
    """`tuple`."""

    elements: tuple[WitType, ...]


@final
@attrs.frozen
class Enum:
    """`enum`."""

    cases: tuple[str, ...]


@final
@attrs.frozen
class Variant:
    """`variant`: cases in order, with or without a value."""

    cases: tuple[tuple[str, WitType | None], ...]


@final
@attrs.frozen
class Option:
    """`option<some>`."""

    some: WitType


@final
@attrs.frozen
class Result:
    """`result<ok, err>`; None where a side carries nothing."""

    ok: WitType | None
    err: WitType | None


WitType: TypeAlias = (
    Number | String | List | Record | Tuple | Enum | Variant | Option | Result
)


@final
@attrs.frozen
class Function:
    """The signature of one imported or exported function."""

    params: tuple[tuple[str, WitType], ...]
    result: WitType | None


class Case(NamedTuple):
    """One case of a variant, with its value."""

    name: str
    value: Any = None


class Ok(NamedTuple):
    """The good side of a `result`."""

    value: Any = None


class Err(NamedTuple):
    """The bad side of a `result`."""

    value: Any = None


STRING = String()
BYTES = List(Number.U8)


def record(**fields: WitType) -> Record:
    """Write a record type; underscores in names stand for WIT's dashes."""
    return Record(tuple((k.replace("_", "-"), v) for k, v in fields.items()))


def variant(**cases: WitType | None) -> Variant:
    """Write a variant type; underscores in names stand for WIT's dashes."""
    return Variant(tuple((k.replace("_", "-"), v) for k, v in cases.items()))


def function(*, to: WitType | None = None, **params: WitType) -> Function:
    """Write a signature; underscores in names stand for WIT's dashes."""
    named = tuple((k.replace("_", "-"), v) for k, v in params.items())
    return Function(named, to)


class ValueUnfit(TypeError):
    """A Python value does not fit the WIT type it is lowered as; says where."""


class TooMuch(Exception):  # it is a fact about a guest, told in our words by the caller
    """A guest's value is larger than the host is willing to keep."""


@final
class Budget:
    """How many bytes a guest's value may still make the host keep."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, size: int) -> None:
        """Take `size` bytes, or refuse the whole value.

        Raises:
            TooMuch: there is less left.
        """
        self.left -= size
        if self.left < 0:
            raise TooMuch
