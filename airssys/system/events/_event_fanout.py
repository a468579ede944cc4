"""Passes each event to all listeners; no listener can delay or harm the system.

Events are emitted during steps that must not fail, above all when a child ends. So what
the program's own log handlers and filters raise is caught here: the line is counted as
unlogged, and all listeners still get the event. If they raise to end the program, it
ends in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import DeadLetter, Event, find_fatal

from ._event_log import EventLog
from ._streams import EVENT_BYTES, EVENTS_KEPT, DeadLetterStream, EventStream, Listeners

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class EventFanout:
    """All listeners of one system.

    Args:
        end_by: Ends the program in order, with what a log handler raised.
    """

    def __init__(self, end_by: Callable[[BaseException], None] | None = None) -> None:
        self._listeners = Listeners[Event, EventStream](EventStream)
        self._end_by = end_by
        self._log = EventLog()
        self.unlogged = 0
        """Events missing in the log because a handler or filter failed, or because the
        stream that a handler writes to was not read."""
        self.dead_letters = Listeners[DeadLetter, DeadLetterStream](DeadLetterStream)
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
            if self._listeners.streams:
                # Many events are kept, and payloads may be large.
                event = attrs.evolve(event, payload=b"")
        self._listeners.offer(event)

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
        return self._listeners.listen(capacity, kept_bytes)

    def close(self) -> None:
        """End all streams, because the system has ended."""
        self._report_unlogged()
        self.dead_letters.close()
        self._listeners.close()
