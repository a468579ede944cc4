"""Streams and futures: two ends, one of which waits for the other.

Nothing is kept in between. The end that comes first leaves its buffer; the one that
comes second copies between both buffers at once, as much as both have room for. The
buffers may be parts of two guests' memories, or the host's.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, final

import attrs

from airssys.wasm.lane.abi import Rule, RuleBroken

from ._waitables import Event, EventCode, Waitable

if TYPE_CHECKING:
    from airssys.wasm.lane.components import CopyType

LONGEST: Final = 2**28 - 1
"""Elements of one buffer."""


@final
class CopyResult(enum.IntEnum):
    """How a copy ended, as guests know it."""

    COMPLETED = 0
    DROPPED = 1
    CANCELLED = 2


@final
class CopyState(enum.Enum):
    """What an end does."""

    IDLE = 1
    COPYING = 2
    CANCELLING = 3
    DONE = 4


class Buffer(Protocol):
    """Where values are read from, or written to; one direction is used only."""

    length: int
    progress: int

    def read(self, count: int) -> Any:
        """Take the next values."""
        ...

    def write(self, values: Any) -> None:
        """Add values."""
        ...


OnCopy = Callable[[Callable[[], None]], None]
"""Notes a copy that may go on; given what ends it."""
OnDone = Callable[[CopyResult], None]


@final
@attrs.frozen
class Pending:
    """The end that waits: its instance (None: the host), its buffer, what notes the copy."""

    instance: object
    buffer: Buffer
    on_copy: OnCopy
    on_done: OnDone


@final
class Shared:
    """What both ends of a stream, or of a future, have in common."""

    __slots__ = ("is_dropped", "pending", "type")

    def __init__(self, type_: CopyType) -> None:
        self.type = type_
        self.is_dropped = False
        self.pending: Pending | None = None

    def read(self, mine: Pending) -> None:
        """Read into a buffer, now or later.

        Raises:
            RuleBroken: an instance may not copy such values to itself.
        """
        self._copy(mine, is_read=True)

    def write(self, mine: Pending) -> None:
        """Write from a buffer, now or later.

        Raises:
            RuleBroken: as of `read`.
        """
        self._copy(mine, is_read=False)

    def cancel(self) -> None:
        """End the copy that waits."""
        self._end_pending(CopyResult.CANCELLED)

    def drop(self) -> None:
        """Note that one end is gone."""
        if not self.is_dropped:
            self.is_dropped = True
            if self.pending is not None:
                self._end_pending(CopyResult.DROPPED)

    def _end_pending(self, result: CopyResult) -> None:
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.on_done(result)

    def _forget(self) -> None:
        self.pending = None

    def _copy(self, mine: Pending, *, is_read: bool) -> None:
        other = self.pending
        if self.is_dropped:
            mine.on_done(CopyResult.DROPPED)
        elif other is None:
            self.pending = mine
        else:
            same = mine.instance is not None and mine.instance is other.instance
            if same and not self.type.is_plain:
                raise RuleBroken(Rule.NOT_COPIED_TO_ITSELF, "a stream or future")
            self._meet(mine, other, is_read=is_read)

    def _meet(self, mine: Pending, other: Pending, *, is_read: bool) -> None:
        """Copy between two buffers; what is empty only says that it is there."""
        room, theirs = _left(mine.buffer), _left(other.buffer)
        if theirs:
            if room:
                _move(mine.buffer, other.buffer, min(room, theirs), is_read=is_read)
                if self.type.is_stream:
                    other.on_copy(self._forget)
                else:
                    self._end_pending(CopyResult.COMPLETED)
            mine.on_done(CopyResult.COMPLETED)
        elif not is_read and not mine.buffer.length and not other.buffer.length:
            mine.on_done(CopyResult.COMPLETED)
        else:
            self._end_pending(CopyResult.COMPLETED)
            self.pending = mine


def _left(buffer: Buffer) -> int:
    return buffer.length - buffer.progress


def _move(mine: Buffer, other: Buffer, count: int, *, is_read: bool) -> None:
    if is_read:
        mine.write(other.read(count))
    else:
        other.write(mine.read(count))


_CODES: Final = {
    (True, True): EventCode.STREAM_READ,
    (True, False): EventCode.STREAM_WRITE,
    (False, True): EventCode.FUTURE_READ,
    (False, False): EventCode.FUTURE_WRITE,
}


@final
class CopyEnd(Waitable):
    """One end of a stream or future that a guest has."""

    __slots__ = ("goes_on", "is_readable", "shared", "state")

    def __init__(self, shared: Shared, *, is_readable: bool) -> None:
        super().__init__()
        self.shared, self.is_readable = shared, is_readable
        self.state = CopyState.IDLE
        self.goes_on = False
        """Whether its event is that of a copy that could still be continued."""

    @property
    def is_copying(self) -> bool:
        """Whether a copy goes on."""
        return self.state in {CopyState.COPYING, CopyState.CANCELLING}

    def copy(self, instance: object, buffer: Buffer, handle: int) -> None:
        """Begin a copy; its end is an event of this end.

        Raises:
            RuleBroken: as of `Shared.read`.
        """
        code = _CODES[self.shared.type.is_stream, self.is_readable]

        def event(result: CopyResult, forget: Callable[[], None] | None) -> Event:
            self.goes_on = False
            if forget is not None:
                forget()
            self.state = self._after(result)
            progress = buffer.progress << 4 if self.shared.type.is_stream else 0
            return Event(code, handle, result | progress)

        def on_copy(forget: Callable[[], None]) -> None:
            self.goes_on = True
            self.set_event(lambda: event(CopyResult.COMPLETED, forget))

        def on_done(result: CopyResult) -> None:
            self.goes_on = False
            self.set_event(lambda: event(result, None))

        self.state = CopyState.COPYING
        mine = Pending(instance, buffer, on_copy, on_done)
        if self.is_readable:
            self.shared.read(mine)
        else:
            self.shared.write(mine)

    def _after(self, result: CopyResult) -> CopyState:
        is_over = result is CopyResult.COMPLETED and not self.shared.type.is_stream
        if is_over or result is CopyResult.DROPPED:
            return CopyState.DONE
        return CopyState.IDLE

    def drop(self) -> None:
        """Note that its handle is gone.

        Raises:
            RuleBroken: it copies, or is that of a future that was not written.
        """
        is_future = not self.shared.type.is_stream
        if is_future and not self.is_readable and self.state is not CopyState.DONE:
            raise RuleBroken(Rule.FUTURE_WRITTEN, self.state.name)
        if self.is_copying:
            raise RuleBroken(Rule.END_NOT_COPYING, self.state.name)
        self.shared.drop()
        super().drop()
