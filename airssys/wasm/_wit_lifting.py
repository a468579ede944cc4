"""Values in wasmtime's memory into Python, by closures made from their types.

A closure reads one value from raw bytes and follows its pointers; it never writes and
never frees. How much it may read is bounded by a `Budget`, because a guest says how
long its lists are.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ._c_api import FIELD_SIZE, VAL_SIZE
from ._wit_memory import CONTENT, PIECE
from ._wit_types import (
    Budget,
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

Lift: TypeAlias = Callable[[bytes | bytearray, int, Budget], Any]
"""Raw bytes, where in them the value lies, what it may still cost."""

_string_at = ctypes.string_at
_read_word: Final = struct.Struct("=Q").unpack_from
_read_pair: Final = struct.Struct("=QQ").unpack_from
_read_three: Final = struct.Struct("=QQQ").unpack_from


def lift_of(wit: WitType) -> Lift:  # noqa: C901, PLR0911  # one match over a closed union
    """Make the closure for a type."""
    match wit:
        case Number():
            return _lift_number(wit)
        case String():
            return _lift_string
        case List(Number.U8):
            return _lift_bytes
        case List(element):
            return _lift_list(lift_of(element))
        case Record(fields):
            first = FIELD_SIZE - VAL_SIZE
            return _lift_row([lift_of(field) for _, field in fields], FIELD_SIZE, first)
        case Tuple(elements):
            return _lift_row([lift_of(element) for element in elements], VAL_SIZE, 0)
        case Enum():
            return _lift_enum
        case Variant(cases):
            return _lift_variant(
                {n: None if t is None else lift_of(t) for n, t in cases}
            )
        case Option(some):
            return _lift_option(lift_of(some))
        case Result(ok, err):
            sides = [None if side is None else lift_of(side) for side in (ok, err)]
            return _lift_result(sides[0], sides[1])


def _lift_number(number: Number) -> Lift:
    read = struct.Struct("=" + number.value[1]).unpack_from

    def lift(raw: bytes | bytearray, at: int, _budget: Budget) -> Any:
        return read(raw, at + CONTENT)[0]

    return lift


def _lift_string(raw: bytes | bytearray, at: int, budget: Budget) -> str:
    size, address = _read_pair(raw, at + CONTENT)
    if not size:
        return ""
    budget.spend(size)
    return str(_string_at(address, size), "utf-8")


def _lift_bytes(raw: bytes | bytearray, at: int, budget: Budget) -> bytes:
    size, address = _read_pair(raw, at + CONTENT)
    if not size:
        return b""
    budget.spend(size)
    if size <= PIECE:
        return _string_at(address, size * VAL_SIZE)[CONTENT::VAL_SIZE]
    pieces = []
    for start in range(0, size, PIECE):
        count = min(PIECE, size - start)
        values = _string_at(address + start * VAL_SIZE, count * VAL_SIZE)
        pieces.append(values[CONTENT::VAL_SIZE])
    return b"".join(pieces)


def _lift_list(lift_one: Lift) -> Lift:
    def lift(raw: bytes | bytearray, at: int, budget: Budget) -> tuple[Any, ...]:
        count, address = _read_pair(raw, at + CONTENT)
        if not count:
            return ()
        budget.spend(count * VAL_SIZE)
        values = _string_at(address, count * VAL_SIZE)
        places = range(0, count * VAL_SIZE, VAL_SIZE)
        return tuple([lift_one(values, place, budget) for place in places])

    return lift


def _lift_row(lifts: list[Lift], stride: int, first: int) -> Lift:
    places = tuple((index * stride + first, lift) for index, lift in enumerate(lifts))
    size = len(lifts) * stride

    def lift(raw: bytes | bytearray, at: int, budget: Budget) -> tuple[Any, ...]:
        values = _string_at(_read_pair(raw, at + CONTENT)[1], size)
        return tuple([lift_one(values, place, budget) for place, lift_one in places])

    return lift


def _lift_enum(raw: bytes | bytearray, at: int, _budget: Budget) -> str:
    size, address = _read_pair(raw, at + CONTENT)
    return str(_string_at(address, size), "utf-8")


def _lift_variant(cases: dict[str, Lift | None]) -> Lift:
    def lift(raw: bytes | bytearray, at: int, budget: Budget) -> Case:
        size, name_address, address = _read_three(raw, at + CONTENT)
        name = str(_string_at(name_address, size), "utf-8")
        lift_payload = cases[name]
        if lift_payload is None:
            return Case(name)
        return Case(name, lift_payload(_string_at(address, VAL_SIZE), 0, budget))

    return lift


def _lift_option(lift_some: Lift) -> Lift:
    def lift(raw: bytes | bytearray, at: int, budget: Budget) -> Any:
        (address,) = _read_word(raw, at + CONTENT)
        if not address:
            return None
        return lift_some(_string_at(address, VAL_SIZE), 0, budget)

    return lift


def _lift_result(lift_ok: Lift | None, lift_err: Lift | None) -> Lift:
    def lift(raw: bytes | bytearray, at: int, budget: Budget) -> Ok | Err:
        (address,) = _read_word(raw, at + 2 * CONTENT)
        side, lift_side = (Ok, lift_ok) if raw[at + CONTENT] else (Err, lift_err)
        if lift_side is None:
            return side()
        return side(lift_side(_string_at(address, VAL_SIZE), 0, budget))

    return lift
