"""`wasi:io`: errors, pollables, and streams.

A call that may wait is tried first, and waits only if there is no answer yet. What it
waits for is not its `execution_time`: like `poll`, it is called to wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from airssys.contracts import TrapReason
from airssys.wasm.host import HostFunction, StopGuest
from airssys.wasm.values import Case, Err, Ok

from .base import (
    ROOM,
    Input,
    IoError,
    Output,
    Pollable,
    StreamClosed,
    StreamFailed,
    interface,
    ready_ones,
    same_as,
    wait_for_any,
    wait_until,
)

if TYPE_CHECKING:
    from .base import WasiContext

_CLOSED: Final = Err(Case("closed"))
_MOST_AT_ONCE: Final = 4096
"""Bytes that `blocking-write-and-flush` takes, by its definition."""


def _broken(rule: str) -> NoReturn:
    raise StopGuest(TrapReason.OTHER, rule)


# ---------------------------------------------------------------- error


ERROR: Final = interface(
    "io/error",
    {"[method]error.to-debug-string": lambda _context, error: error.failure.text},
    owns=["error"],
)


# ---------------------------------------------------------------- poll


def _block_now(_context: WasiContext, pollable: Pollable) -> Ok | None:
    return Ok() if pollable.ready() else None


async def _block(context: WasiContext, pollable: Pollable) -> None:
    await wait_for_any(context, [pollable])


def _poll_now(_context: WasiContext, pollables: list[Pollable]) -> list[int] | None:
    if not pollables:
        _broken("poll was called with an empty list")
    return ready_ones(pollables) or None


async def _poll(context: WasiContext, pollables: list[Pollable]) -> list[int]:
    return await wait_for_any(context, pollables)


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


def _subscribe(context: WasiContext, stream: Input | Output) -> Pollable:
    return Pollable(context, stream, stream)


def _failed(context: WasiContext, error: StreamClosed | StreamFailed) -> Err:
    if isinstance(error, StreamClosed):
        return _CLOSED
    return Err(Case("last-operation-failed", IoError(context, error)))


def _read(context: WasiContext, stream: Input, length: int) -> Ok | Err:
    if length == 0:
        return _CLOSED if stream.has_ended else Ok(b"")
    try:
        return Ok(stream.read(min(length, ROOM)))
    except (StreamClosed, StreamFailed) as error:
        return _failed(context, error)


def _read_now(context: WasiContext, stream: Input, length: int) -> Ok | Err | None:
    found = _read(context, stream, length)
    return None if found == Ok(b"") and length else found


async def _blocking_read(context: WasiContext, stream: Input, length: int) -> Ok | Err:
    while True:
        await wait_until(context, stream.is_ready, stream)
        found = _read_now(context, stream, length)
        if found is not None:
            return found


def _counted(found: Ok | Err | None) -> Ok | Err | None:
    return Ok(len(found.value)) if type(found) is Ok else found


def _skip_now(context: WasiContext, stream: Input, length: int) -> Ok | Err | None:
    return _counted(_read_now(context, stream, length))


async def _blocking_skip(context: WasiContext, stream: Input, length: int) -> object:
    return _counted(await _blocking_read(context, stream, length))


def _check_write(context: WasiContext, stream: Output) -> Ok | Err:
    try:
        if stream.flushes and not stream.is_flushed():
            return Ok(0)
        stream.flushes = False
        return Ok(stream.room())
    except (StreamClosed, StreamFailed) as error:
        return _failed(context, error)


def _write(context: WasiContext, stream: Output, data: bytes) -> Ok | Err:
    try:
        room = stream.room()
        if len(data) > room:
            _broken(f"it wrote {len(data)} bytes where {room} were permitted")
        if data:
            stream.write(data)
    except (StreamClosed, StreamFailed) as error:
        return _failed(context, error)
    return Ok()


def _write_zeroes(context: WasiContext, stream: Output, length: int) -> Ok | Err:
    return _write(context, stream, bytes(min(length, ROOM + 1)))


def _flush(context: WasiContext, stream: Output) -> Ok | Err:
    checked = _check_write(context, stream)
    if type(checked) is Ok:
        stream.flushes = True
        return Ok()
    return checked


def _flush_now(context: WasiContext, stream: Output) -> Ok | Err | None:
    try:
        if not stream.is_flushed():
            return None
    except (StreamClosed, StreamFailed) as error:
        return _failed(context, error)
    stream.flushes = False
    return Ok()


async def _blocking_flush(context: WasiContext, stream: Output) -> Ok | Err:
    stream.flushes = True
    while True:
        await wait_until(context, stream.is_ready, stream)
        found = _flush_now(context, stream)
        if found is not None:
            return found


def _check_size(length: int) -> None:
    if length > _MOST_AT_ONCE:
        _broken(f"blocking-write-and-flush takes {_MOST_AT_ONCE} bytes, not {length}")


def _write_and_flush_now(
    context: WasiContext, stream: Output, data: bytes
) -> Ok | Err | None:
    """Write and flush, as far as that needs no waiting."""
    _check_size(len(data))
    try:
        if stream.room() < len(data):
            return None
        if data:
            stream.write(data)
    except (StreamClosed, StreamFailed) as error:
        return _failed(context, error)
    found = _flush_now(context, stream)
    stream.is_written = found is None
    return found


async def _write_and_flush(
    context: WasiContext, stream: Output, data: bytes
) -> Ok | Err:
    left = memoryview(b"" if stream.is_written else data)
    stream.is_written = False
    while left:
        await wait_until(context, stream.is_ready, stream)
        try:
            room = stream.room()
            if room:
                stream.write(bytes(left[:room]))
                left = left[room:]
        except (StreamClosed, StreamFailed) as error:
            return _failed(context, error)
    return await _blocking_flush(context, stream)


def _zeroes_and_flush_now(
    context: WasiContext, stream: Output, length: int
) -> Ok | Err | None:
    _check_size(length)
    return _write_and_flush_now(context, stream, bytes(length))


async def _zeroes_and_flush(
    context: WasiContext, stream: Output, length: int
) -> Ok | Err:
    return await _write_and_flush(context, stream, bytes(length))


def _splice(context: WasiContext, stream: Output, source: Input, most: int) -> object:
    checked = _check_write(context, stream)
    if type(checked) is Err:
        return checked
    found = _read(context, source, min(most, checked.value))
    if type(found) is Err:
        return found
    written = _write(context, stream, found.value)
    return written if type(written) is Err else Ok(len(found.value))


def _splice_now(
    context: WasiContext, stream: Output, source: Input, most: int
) -> object:
    if not (stream.is_ready() and source.is_ready()):
        return None
    found = _splice(context, stream, source, most)
    return None if found == Ok(0) and most else found


async def _blocking_splice(
    context: WasiContext, stream: Output, source: Input, most: int
) -> object:
    while True:
        await wait_until(context, stream.is_ready, stream)
        await wait_until(context, source.is_ready, source)
        found = _splice_now(context, stream, source, most)
        if found is not None:
            return found


def _waiting(act: Any, at_once: Any) -> HostFunction:
    return HostFunction(act, at_once=at_once, counts=False)


def _named(kind: str, functions: dict[str, Any]) -> dict[str, Any]:
    return {f"[method]{kind}.{name}": act for name, act in functions.items()}


STREAMS: Final = interface(
    "io/streams",
    _named(
        "input-stream",
        {
            "read": _read,
            "blocking-read": _waiting(_blocking_read, _read_now),
            "skip": lambda c, stream, length: _counted(_read(c, stream, length)),
            "blocking-skip": _waiting(_blocking_skip, _skip_now),
            "subscribe": _subscribe,
        },
    )
    | _named(
        "output-stream",
        {
            "check-write": _check_write,
            "write": _write,
            "blocking-write-and-flush": _waiting(
                _write_and_flush, _write_and_flush_now
            ),
            "flush": _flush,
            "blocking-flush": _waiting(_blocking_flush, _flush_now),
            "subscribe": _subscribe,
            "write-zeroes": _write_zeroes,
            "blocking-write-zeroes-and-flush": _waiting(
                _zeroes_and_flush, _zeroes_and_flush_now
            ),
            "splice": _splice,
            "blocking-splice": _waiting(_blocking_splice, _splice_now),
        },
    ),
    owns=["input-stream", "output-stream"],
    uses=same_as("io/error", "error") | same_as("io/poll", "pollable"),
)
