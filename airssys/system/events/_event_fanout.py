"""One event to all that listen; no listener can hold up or hurt the system.

Events are emitted in the middle of steps that must not fail, a child's end above all. So
what the program's own log handlers and filters raise stays here: the line is counted as
unlogged, and everybody else hears of the event. What they raise to end the program ends
it, in order.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from airssys.contracts import MIB, DeadLetter, Event, find_fatal

from ._backlog import Backlog
from ._dead_letters import DeadLetterFanout
from ._event_log import EventLog
from ._text_bytes import text_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS_KEPT: Final = 1000
"""Events that a stream keeps for a listener that does not keep up."""
EVENT_BYTES: Final = 16 * MIB
"""Bytes that their texts may take: what guests logged, errors, reasons."""


@final
class EventStream(AsyncIterator[Event]):
    """The events from now on, for one listener; made by `System.events`.

    Iterating waits for the next event and ends with the system. When the listener does
    not keep up, the oldest events are dropped and counted. Leaving its `with` block
    ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int = EVENT_BYTES) -> None:
        self._events: Backlog[Event] = Backlog(capacity, kept_bytes)
        self.dropped = 0
        """Events that this listener missed because it did not keep up."""

    def offer(self, event: Event) -> bool:
        """Add an event, at once; False if nobody listens any more."""
        if self._events.is_ended:
            return False
        self.dropped += self._events.push(event, text_bytes(event))
        return True

    def end(self) -> None:
        """Let the listener have what is left, and then end."""
        self._events.end()

    def close(self) -> None:
        """Listen no more."""
        self._events.close()

    def next_nowait(self) -> Event:
        """Return the next event.

        Raises:
            trio.WouldBlock: there is none yet.
            trio.EndOfChannel: there will be none.
        """
        return self._events.next_nowait()

    async def __anext__(self) -> Event:
        try:
            return await self._events.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __enter__(self) -> EventStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class EventFanout:
    """All listeners of one system.

    Args:
        end_by: ends the program in order, by what a log handler raised.
    """

    def __init__(self, end_by: Callable[[BaseException], None] | None = None) -> None:
        self._streams: list[EventStream] = []
        self._end_by = end_by
        self._log = EventLog()
        self.unlogged = 0
        """Events that are missing in the log: a handler or filter failed, or nobody read
        the stream that one writes to."""
        self._is_closed = False
        self.dead_letters = DeadLetterFanout()
        """Those who want dead letters whole."""

    def emit(self, event: Event) -> None:
        """Log an event and give it to each listener; an `EventSink`."""
        try:
            is_logged = self._log.write(event)
            self.unlogged += not is_logged
        except BaseException as error:  # noqa: BLE001, ASYNC103  # see the head of this file
            self._note_unlogged(error)
        if isinstance(event, DeadLetter):
            self.dead_letters.offer(event)
        if not self._streams:
            return
        if isinstance(event, DeadLetter):
            # Many events are kept, and payloads may be large.
            event = attrs.evolve(event, payload=b"")
        self._streams = [s for s in self._streams if s.offer(event)]

    def _report_unlogged(self) -> None:
        try:
            self._log.report()
        except BaseException as error:  # noqa: BLE001, ASYNC103  # see the head of this file
            self._note_unlogged(error)

    def _note_unlogged(self, error: BaseException) -> None:
        self.unlogged += 1
        fatal = find_fatal(error)
        if fatal is not None and self._end_by is not None:
            self._end_by(fatal)

    def listen(
        self, capacity: int = EVENTS_KEPT, kept_bytes: int = EVENT_BYTES
    ) -> EventStream:
        """Open one more stream; it keeps this many events and bytes, 1 or more.

        Raises:
            ValueError: it may keep nothing.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("a stream keeps 1 event and 1 byte or more")
        stream = EventStream(capacity, kept_bytes)
        if self._is_closed:
            stream.end()
        else:
            self._streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams: the system is no more."""
        self._is_closed = True
        self._report_unlogged()
        self.dead_letters.close()
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.end()
