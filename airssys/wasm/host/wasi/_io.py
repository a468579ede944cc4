"""`wasi:io`: errors, pollables, and streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from airssys.contracts import TrapReason
from airssys.wasm.host import HostFunction, StopGuest
from airssys.wasm.values import Case, Err, Ok

from ._context import Held
from ._naming import interface, same_as
from ._pollables import Pollable, ready_ones, wait_for_any
from ._streams import ROOM, LogLines

if TYPE_CHECKING:
    from ._context import WasiContext

_CLOSED: Final = Err(Case("closed"))
_MOST_AT_ONCE: Final = 4096
"""Bytes that `blocking-write-and-flush` takes, by its definition."""


@final
class EmptyInput(Held):
    """Standard input, which has ended; nothing can be given to a component yet."""

    __slots__ = ()


@final
class Output(Held):
    """A guest's handle of standard output or standard error."""

    __slots__ = ("lines",)

    def __init__(self, context: WasiContext, lines: LogLines) -> None:
        super().__init__(context)
        self.lines = lines


def _broken(rule: str) -> NoReturn:
    raise StopGuest(TrapReason.OTHER, rule)


# ---------------------------------------------------------------- error

ERROR: Final = interface(
    "io/error",
    # Nothing that can be given to a guest yet makes one.
    {"[method]error.to-debug-string": lambda _context, error: str(error)},
    owns=["error"],
)


# ---------------------------------------------------------------- poll


def _block_now(_context: WasiContext, pollable: Pollable) -> Ok | None:
    return Ok() if pollable.ready() else None


async def _block(_context: WasiContext, pollable: Pollable) -> None:
    await wait_for_any([pollable])


def _poll_now(_context: WasiContext, pollables: list[Pollable]) -> list[int] | None:
    if not pollables:
        _broken("poll was called with an empty list")
    return ready_ones(pollables) or None


async def _poll(_context: WasiContext, pollables: list[Pollable]) -> list[int]:
    return await wait_for_any(pollables)


POLL: Final = interface(
    "io/poll",
    {
        "[method]pollable.ready": lambda _context, pollable: pollable.ready(),
        "[method]pollable.block": HostFunction(
            _block, at_once=_block_now, counts=False
        ),
        "poll": HostFunction(_poll, at_once=_poll_now, counts=False),
    },
    owns=["pollable"],
)


# ---------------------------------------------------------------- streams


def _subscribe(context: WasiContext, _stream: Held) -> Pollable:
    return Pollable(context)


def _read(context: WasiContext, _stream: EmptyInput, _length: int) -> Err:
    context.may("streams", "stdin")
    return _CLOSED


def _write(_context: WasiContext, stream: Output, data: bytes) -> Ok:
    if len(data) > ROOM:
        _broken(f"it wrote {len(data)} bytes where {ROOM} were permitted")
    stream.lines.write(data)
    return Ok()


def _write_and_flush(context: WasiContext, stream: Output, data: bytes) -> Ok:
    if len(data) > _MOST_AT_ONCE:
        _broken(
            f"blocking-write-and-flush takes {_MOST_AT_ONCE} bytes, not {len(data)}"
        )
    return _write(context, stream, data)


def _write_zeroes(context: WasiContext, stream: Output, length: int) -> Ok:
    return _write(context, stream, bytes(min(length, ROOM + 1)))


def _write_zeroes_and_flush(context: WasiContext, stream: Output, length: int) -> Ok:
    return _write_and_flush(context, stream, bytes(min(length, ROOM + 1)))


def _flush(_context: WasiContext, _stream: Output) -> Ok:
    return Ok()


def _splice(
    context: WasiContext, _stream: Output, source: EmptyInput, most: int
) -> Err:
    return _read(context, source, most)


def _named(kind: str, functions: dict[str, Any]) -> dict[str, Any]:
    return {f"[method]{kind}.{name}": act for name, act in functions.items()}


STREAMS: Final = interface(
    "io/streams",
    _named(
        "input-stream",
        {
            "read": _read,
            "blocking-read": _read,
            "skip": _read,
            "blocking-skip": _read,
            "subscribe": _subscribe,
        },
    )
    | _named(
        "output-stream",
        {
            "check-write": lambda _context, _stream: Ok(ROOM),
            "write": _write,
            "blocking-write-and-flush": _write_and_flush,
            "flush": _flush,
            "blocking-flush": _flush,
            "subscribe": _subscribe,
            "write-zeroes": _write_zeroes,
            "blocking-write-zeroes-and-flush": _write_zeroes_and_flush,
            "splice": _splice,
            "blocking-splice": _splice,
        },
    ),
    owns=["input-stream", "output-stream"],
    uses=same_as("io/error", "error") | same_as("io/poll", "pollable"),
)
