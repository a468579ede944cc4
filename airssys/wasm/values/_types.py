"""WIT types as values: the table that marshalling is compiled from.

How each type looks in Python:

======================  ==========================================================
bool, integers          bool, int; never one for the other
f32, f64                float, or an int that a float can be; see `Float`
char                    str of one character
string                  str
list<u8>                bytes; in also bytearray and memoryview
list<T>                 a sequence in, a tuple out
record                  a tuple of its fields, in the order of the WIT text
tuple                   a tuple
enum                    its case as str
flags                   a set of names in, a frozenset out
variant                 `Case(name, value)`, value None where the case has none
option                  None or the value; of an option, None or `Some(value)`
result                  `Ok(value)` or `Err(value)`
own, borrow             the Python object itself, any but None
======================  ==========================================================
"""

from __future__ import annotations

import enum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, final

import attrs


@final
class Number(enum.Enum):
    """The types that are one machine word: kind, struct format, lowest, highest."""

    BOOL = ("bool", "?", 0, 1)
    U8 = ("u8", "B", 0, 2**8 - 1)
    U16 = ("u16", "H", 0, 2**16 - 1)
    U32 = ("u32", "I", 0, 2**32 - 1)
    U64 = ("u64", "Q", 0, 2**64 - 1)
    S8 = ("s8", "b", -(2**7), 2**7 - 1)
    S16 = ("s16", "h", -(2**15), 2**15 - 1)
    S32 = ("s32", "i", -(2**31), 2**31 - 1)
    S64 = ("s64", "q", -(2**63), 2**63 - 1)


@final
class Float(enum.Enum):
    """The floats: name and struct format.

    Values that f32 cannot hold are rounded to the nearest one that it can, including
    infinity. NaN stays NaN, but not its bits.
    """

    F32 = ("f32", "f")
    F64 = ("f64", "d")


@final
@attrs.frozen
class Char:
    """`char`: any character but a surrogate."""


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
class Flags:
    """`flags`: names that are set or not."""

    names: tuple[str, ...]


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
    """`result<ok, err>`; None where a side has no content."""

    ok: WitType | None
    err: WitType | None


@final
@attrs.frozen
class Own:
    """`own<resource>`: a resource of the host that is given away."""

    resource: str


@final
@attrs.frozen
class Borrow:
    """`borrow<resource>`: a resource of the host that is lent for one call."""

    resource: str


WitType: TypeAlias = (
    Number
    | Float
    | Char
    | String
    | List
    | Record
    | Tuple
    | Enum
    | Flags
    | Variant
    | Option
    | Result
    | Own
    | Borrow
)


def mentions(wit: WitType | None, kinds: tuple[type, ...]) -> bool:
    """Say whether a type, or any part of it, is of one of some kinds."""
    return isinstance(wit, kinds) or any(
        mentions(each, kinds) for each in parts_of(wit)
    )


def parts_of(wit: WitType | None) -> tuple[WitType | None, ...]:
    """Return the types that a type directly consists of; None for a missing one."""
    match wit:
        case List(part) | Option(part):
            return (part,)
        case Result(ok, err):
            return ok, err
        case Tuple(elements):
            return elements
        case Record(fields):
            return tuple(part for _, part in fields)
        case Variant(cases):
            return tuple(part for _, part in cases)
        case _:
            return ()


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


class Some(NamedTuple):
    """An option that is set, where None would not show which of two is not."""

    value: Any


_LOOKED_AT: Final = 16
_OF_AN_OBJECT: Final = 128
"""Bytes that count for an element of unknown size: a name, say."""


CHEAPER: Final = 32
"""The time in which wasmtime makes one value is enough to copy this many bytes."""


def weight(value: Any, cheaper: int = 1) -> int:
    """Return about how long a value takes to lay out, in bytes, as a `Budget` counts.

    The first elements of a long list stand for all of them.

    Args:
        value: What is laid out.
        cheaper: How many bytes of `list<u8>` take as long as one: `CHEAPER` where they
            are copied in one piece.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return len(value) // cheaper
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (Ok, Err, Some, Case)):
        return weight(value.value, cheaper)
    if isinstance(value, (tuple, list)):
        most, some = len(value), value[:_LOOKED_AT]
        each = sum(weight(one, cheaper) for one in some) / max(1, len(some))
        return int(most * (32 + each))
    return 0 if value is None or isinstance(value, (int, float)) else _OF_AN_OBJECT


class Ok(NamedTuple):
    """The success of a `result`."""

    value: Any = None


class Err(NamedTuple):
    """The failure of a `result`."""

    value: Any = None


STRING = String()
CHAR = Char()
BYTES = List(Number.U8)


def record(**fields: WitType) -> Record:
    """Make a record type; underscores in names stand for WIT's dashes."""
    return Record(tuple((k.replace("_", "-"), v) for k, v in fields.items()))


def variant(**cases: WitType | None) -> Variant:
    """Make a variant type; underscores in names stand for WIT's dashes."""
    return Variant(tuple((k.replace("_", "-"), v) for k, v in cases.items()))


def function(*, to: WitType | None = None, **params: WitType) -> Function:
    """Make a signature; underscores in names stand for WIT's dashes."""
    named = tuple((k.replace("_", "-"), v) for k, v in params.items())
    return Function(named, to)


class ValueUnfit(TypeError):
    """A Python value does not fit the WIT type it is lowered to; has the path."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        """The place of the value, such as `config.limits[3].name`."""

    def __str__(self) -> str:
        return f"{self.problem} @ {self.path}" if self.path else self.problem

    def __repr__(self) -> str:
        return f"ValueUnfit({str(self)!r})"


class TooMuch(Exception):  # about a guest; the caller turns it into an error
    """A guest's value is larger than the host is willing to keep."""


class Handles(Protocol):
    """Where the resources of one guest are looked up (`_handles`)."""

    def lower(self, resource: str, thing: object, *, owned: bool) -> int:
        """Make a handle for a Python object; returns its address."""
        ...

    def lift(self, resource: str, address: int, *, owned: bool) -> object:
        """Return the Python object of a handle."""
        ...

    def undo(self) -> None:
        """Take back the handles in a value that does not fit."""
        ...

    def accept(self) -> None:
        """Accept the resources in a value, after the whole value was read."""
        ...


@final
class Budget:
    """How many bytes a guest's value may still make the host keep."""

    __slots__ = ("handles", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.handles: Handles | None = None
        """Where the value's resources are, for types that have some."""
