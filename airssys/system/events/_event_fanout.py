"""Passes each event to all listeners; no listener can delay or harm the system.

Events are emitted during steps that must not fail, above all when a child ends. So what
the program's own log handlers and filters raise is caught here: the line is counted as
unlogged, and all listeners still get the event. If they raise to end the program, it
ends in order.
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
"""Bytes of their texts that it keeps: what guests logged, errors, reasons."""


@final
class EventStream(AsyncIterator[Event]):
    """The events from now on, for one listener; created by `System.events`.

    Iterating waits for the next event and ends with the system. When the listener does
    not keep up, the oldest events are dropped and counted. Leaving its `with` block
    ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int = EVENT_BYTES) -> None:
        self._events: Backlog[Event] = Backlog(capacity, kept_bytes)
        self.dropped = 0
        """Events that were dropped because the listener did not keep up."""

    def offer(self, event: Event) -> bool:
        """Add an event, at once; False if the listener has left."""
        if self._events.is_ended:
            return False
        self.dropped += self._events.push(event, text_bytes(event))
        return True

    def end(self) -> None:
        """Let the listener take what is left, and then end."""
        self._events.end()

    def close(self) -> None:
        """Stop listening."""
        self._events.close()

    def next_nowait(self) -> Event:
        """Return the next event.

        Raises:
            trio.WouldBlock: There is none yet.
            trio.EndOfChannel: There will be none.
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
        end_by: Ends the program in order, with what a log handler raised.
    """

    def __init__(self, end_by: Callable[[BaseException], None] | None = None) -> None:
        self._streams: list[EventStream] = []
        self._end_by = end_by
        self._log = EventLog()
        self.unlogged = 0
        """Events missing in the log because a handler or filter failed, or because the
        stream that a handler writes to was not read."""
        self._is_closed = False
        self.dead_letters = DeadLetterFanout()
        """The listeners that get dead letters with their payloads."""

    def emit(self, event: Event) -> None:
        """Log an event and pass it to each listener; an `EventSink`."""
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
        """Open one more stream, which keeps this many events and bytes, 1 or more.

        Raises:
            ValueError: `capacity` or `kept_bytes` is below 1.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("capacity and kept_bytes must be 1 or more")
        stream = EventStream(capacity, kept_bytes)
        if self._is_closed:
            stream.end()
        else:
            self._streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams, because the system has ended."""
        self._is_closed = True
        self._report_unlogged()
        self.dead_letters.close()
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.end()
