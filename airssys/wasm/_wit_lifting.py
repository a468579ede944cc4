"""Values in wasmtime's memory into Python, by closures made from their types.

A closure reads one value where it lies and follows its pointers; it never writes and
never frees. How much it may read is bounded by a `Budget`, because a guest says how
long its lists are.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ._c_api import FIELD_SIZE, VAL_SIZE
from ._wit_memory import CONTENT, MEMORY, PIECE
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

Lift: TypeAlias = Callable[[int, Budget], Any]
"""The address of a value, and what it may still cost."""

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

    def lift(address: int, _budget: Budget) -> Any:
        return read(MEMORY, address + CONTENT)[0]

    return lift


def _text(address: int, size: int) -> str:
    return str(MEMORY[address : address + size], "utf-8")


def _lift_string(address: int, budget: Budget) -> str:
    size, text = _read_pair(MEMORY, address + CONTENT)
    budget.spend(size)
    return _text(text, size)


def _lift_bytes(address: int, budget: Budget) -> bytes:
    size, values = _read_pair(MEMORY, address + CONTENT)
    budget.spend(size)
    if size <= PIECE:
        return MEMORY[values + CONTENT : values + size * VAL_SIZE : VAL_SIZE].tobytes()
    pieces = []
    for start in range(0, size, PIECE):
        first = values + start * VAL_SIZE
        last = first + min(PIECE, size - start) * VAL_SIZE
        pieces.append(MEMORY[first + CONTENT : last : VAL_SIZE].tobytes())
    return b"".join(pieces)


def _lift_list(lift_one: Lift) -> Lift:
    def lift(address: int, budget: Budget) -> tuple[Any, ...]:
        count, values = _read_pair(MEMORY, address + CONTENT)
        size = count * VAL_SIZE
        budget.spend(size)
        places = range(values, values + size, VAL_SIZE)
        return tuple([lift_one(place, budget) for place in places])

    return lift


def _lift_row(lifts: list[Lift], stride: int, first: int) -> Lift:
    places = tuple((index * stride + first, lift) for index, lift in enumerate(lifts))

    def lift(address: int, budget: Budget) -> tuple[Any, ...]:
        _, row = _read_pair(MEMORY, address + CONTENT)
        return tuple([lift_one(row + place, budget) for place, lift_one in places])

    return lift


def _lift_enum(address: int, _budget: Budget) -> str:
    size, name = _read_pair(MEMORY, address + CONTENT)
    return _text(name, size)


def _lift_variant(cases: dict[str, Lift | None]) -> Lift:
    def lift(address: int, budget: Budget) -> Case:
        size, name_address, payload = _read_three(MEMORY, address + CONTENT)
        name = _text(name_address, size)
        lift_payload = cases[name]
        return Case(name, lift_payload(payload, budget) if lift_payload else None)

    return lift


def _lift_option(lift_some: Lift) -> Lift:
    def lift(address: int, budget: Budget) -> Any:
        (some,) = _read_word(MEMORY, address + CONTENT)
        return lift_some(some, budget) if some else None

    return lift


def _lift_result(lift_ok: Lift | None, lift_err: Lift | None) -> Lift:
    def lift(address: int, budget: Budget) -> Ok | Err:
        (value,) = _read_word(MEMORY, address + 2 * CONTENT)
        if MEMORY[address + CONTENT]:
            return Ok(lift_ok(value, budget) if lift_ok else None)
        return Err(lift_err(value, budget) if lift_err else None)

    return lift
