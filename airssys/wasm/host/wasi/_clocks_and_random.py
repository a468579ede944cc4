"""`wasi:clocks` and `wasi:random`."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import trio

from airssys.contracts import TrapReason
from airssys.wasm.host import StopGuest
from airssys.wasm.values import BYTES, Number, Tuple, function, record

from .base import NANO, Timer, interface, same_as, stated

if TYPE_CHECKING:
    from .base import WasiContext

_U64: Final = Number.U64
_DATETIME: Final = record(seconds=_U64, nanoseconds=Number.U32)
_PIECE: Final = 64 * 1024
"""Random bytes that are made without letting others run."""


# ---------------------------------------------------------------- clocks


def _wall_now(context: WasiContext) -> tuple[int, int]:
    fixed = context.option("clock", "wall", "fixed")
    if fixed is not None:
        return divmod(int(Decimal(fixed) * NANO), NANO)  # a float has too few digits
    services = context.services
    if services is None or context.finest("wall") == math.inf:
        return 0, 0
    seconds, nanoseconds = services.clock.current_time()
    return seconds, nanoseconds


def _wall_resolution(context: WasiContext) -> tuple[int, int]:
    if context.option("clock", "wall", "fixed") is not None:
        return 1, 0
    finest = context.finest("wall")
    return divmod(_in_nanoseconds(0 if finest == math.inf else finest), NANO)


def _in_nanoseconds(resolution: float) -> int:
    """Say how exact a clock is; one without a limit to a microsecond, like Trio's."""
    return round(resolution * NANO) or 1000


def _monotonic_resolution(context: WasiContext) -> int:
    resolution = context.monotonic.resolution
    return 1000 if resolution == math.inf else _in_nanoseconds(resolution)


WALL_CLOCK: Final = interface(
    "clocks/wall-clock",
    {
        "now": stated(function(to=_DATETIME), _wall_now),
        "resolution": stated(function(to=_DATETIME), _wall_resolution),
    },
)
MONOTONIC_CLOCK: Final = interface(
    "clocks/monotonic-clock",
    {
        "now": stated(function(to=_U64), lambda context: context.monotonic.now()),
        "resolution": stated(function(to=_U64), _monotonic_resolution),
        "subscribe-instant": lambda c, when: Timer(c, c.monotonic.at(when)),
        "subscribe-duration": lambda c, when: Timer(c, c.monotonic.after(when)),
    },
    uses=same_as("io/poll", "pollable"),
)


# ---------------------------------------------------------------- random


def _check_length(context: WasiContext, length: int) -> None:
    most = context.limits.host_call_bytes
    if length > most:
        text = f"{length} random bytes at once, more than {most} (host_call_bytes)"
        raise StopGuest(TrapReason.HOST_ALLOCATION_LIMIT, text)


def _secure(context: WasiContext, length: int) -> bytes:
    """Make bytes that cannot be guessed.

    Raises:
        StopGuest: it may have none. By its definition this function has no other answer.
    """
    seeded = context.seeded("secure")
    if seeded is not None:
        return seeded.randbytes(length)
    services = context.services
    if services is None or not context.may("random", "secure"):
        text = "it wants random bytes that cannot be guessed: random() allows that"
        raise StopGuest(TrapReason.NOT_GRANTED, text)
    return services.randomness(length)


def _secure_now(context: WasiContext, length: int) -> bytes | None:
    _check_length(context, length)
    return _secure(context, length) if length <= _PIECE else None


async def _secure_later(context: WasiContext, length: int) -> bytes:
    pieces = []
    for start in range(0, length, _PIECE):
        pieces.append(_secure(context, min(_PIECE, length - start)))
        await trio.lowlevel.checkpoint()
    return b"".join(pieces)


def _insecure(context: WasiContext, length: int) -> bytes:
    seeded = context.seeded("insecure")
    if seeded is not None:
        return seeded.randbytes(length)
    services = context.services
    if services is None or not context.may("random", "insecure"):
        return context.insecure.randbytes(length)
    return services.randomness(length)


def _insecure_now(context: WasiContext, length: int) -> bytes | None:
    _check_length(context, length)
    return _insecure(context, length) if length <= _PIECE else None


async def _insecure_later(context: WasiContext, length: int) -> bytes:
    pieces = []
    for start in range(0, length, _PIECE):
        pieces.append(_insecure(context, min(_PIECE, length - start)))
        await trio.lowlevel.checkpoint()
    return b"".join(pieces)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _seed(context: WasiContext) -> tuple[int, int]:
    """Answer the same each time: a guest may give it to several generators."""
    data = context.keep("insecure seed", lambda context: _insecure(context, 16))
    return _number(data[:8]), _number(data[8:])


_BYTES: Final = function(len=_U64, to=BYTES)
RANDOM: Final = interface(
    "random/random",
    {
        "get-random-bytes": stated(_BYTES, _secure_later, at_once=_secure_now),
        "get-random-u64": stated(function(to=_U64), lambda c: _number(_secure(c, 8))),
    },
)
INSECURE: Final = interface(
    "random/insecure",
    {
        "get-insecure-random-bytes": stated(
            _BYTES, _insecure_later, at_once=_insecure_now
        ),
        "get-insecure-random-u64": stated(
            function(to=_U64), lambda c: _number(_insecure(c, 8))
        ),
    },
)
SEED: Final = interface(
    "random/insecure-seed",
    {"insecure-seed": stated(function(to=Tuple((_U64, _U64))), _seed)},
)
