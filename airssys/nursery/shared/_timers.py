"""Messages that an actor sends to itself later, once or again and again.

All timers of a system share one alarm, on Trio's clock. They belong to one incarnation
of an actor and end with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, final

import attrs
import trio

from airssys.messaging import Alarm

from ._self_messages import SelfMessage

_LONGEST: Final = 1e12
"""Seconds: some thirty thousand years. Times further off cannot be distinguished."""
SHORTEST_PERIOD: Final = 0.001
"""Seconds. A timer that repeats sooner would keep the service of all timers busy."""


@final
@attrs.define(eq=False)
class Timer:
    """One message that comes later, or one that comes again and again."""

    _alarm: Alarm[Timer]
    _send: Callable[[], SelfMessage]
    _due: float
    """Trio time."""
    _every: float | None
    _own: dict[Timer, None]
    """All pending timers of the same incarnation."""
    _last: SelfMessage | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it still sends."""
        return self in self._own

    def cancel(self) -> None:
        """Send no more; what was sent before stays. Doing it again does nothing."""
        self._own.pop(self, None)
        self._alarm.discard(self)

    def fire(self) -> None:
        """Send; one that repeats leaves out what the last message still blocks."""
        if self._every is None:
            self._own.pop(self, None)
            self._send()
            return
        if self._last is None or not self._last.waits:
            self._last = self._send()
        self._due = next_beat(self._due, self._every, trio.current_time())
        self._alarm.add(self, self._due)


def next_beat(due: float, every: float, now: float) -> float:
    """Return the first beat after now, and after the one that is due.

    Raises nothing for times below `_LONGEST` and periods from `SHORTEST_PERIOD`.
    """
    missed = math.floor(max(now - due, 0.0) / every)
    beat = due + every * (missed + 1)
    # So far from zero, adding so little may change nothing.
    return beat if beat > now else math.nextafter(now, math.inf)


@final
class Timers:
    """The timers of all actors of one system."""

    def __init__(self) -> None:
        self._alarm: Alarm[Timer] = Alarm(Timer.fire)

    def __len__(self) -> int:
        return len(self._alarm)

    async def serve(  # noqa: ASYNC128  # the alarm calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Fire what is due, until cancelled."""
        await self._alarm.serve(task_status=task_status)

    def start(
        self,
        seconds: float,
        send: Callable[[], SelfMessage],
        own: dict[Timer, None],
        *,
        repeat: bool,
    ) -> Timer:
        """Start a timer; one that repeats does so every `SHORTEST_PERIOD` at most.

        Raises:
            ValueError: the seconds are not a finite number, below 0, or 0 for one that
                repeats.
        """
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not is_number or not 0 <= seconds < _LONGEST:
            raise ValueError(f"seconds must be a number from 0, not {seconds!r:.80}")
        # The alarm that all share compares it later: not by a subclass's own methods.
        seconds = float(seconds)
        if repeat and seconds == 0:
            raise ValueError("a timer that repeats needs more than 0 seconds")
        due = trio.current_time() + seconds
        every = max(seconds, SHORTEST_PERIOD) if repeat else None
        timer = Timer(self._alarm, send, due, every, own)
        own[timer] = None
        self._alarm.add(timer, due)
        return timer
