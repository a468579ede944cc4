"""What an actor does that has fallen behind: it handles what it can still answer in time.

An actor that is sent more than it can handle, in the order in which it comes, ends up with
messages whose deadline is about to pass: whatever waited longer is not begun any
more, and whatever waited less comes later. Each answer is then a little too late, and none
is of use. So an actor that has fallen behind passes over what it would answer too late,
as long as something waits that it could answer in time. That costs next to nothing, and
what it handles then is of use. The order of what it handles stays what it was.

How long an answer takes is estimated as TCP estimates round trips (RFC 6298): the mean, and
four times the mean deviation on top. An actor has fallen behind when a caller has stopped
waiting for it; when nothing waits any more it has caught up. So one that keeps up neither
measures nor passes over anything.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from airssys.contracts import Envelope

_MARGIN: Final = 1.1
"""For what the scheduler adds."""


@final
class Overload:
    """One time of having fallen behind; pure."""

    def __init__(self) -> None:
        self._began: float | None = None
        """Trio time at which the present message was begun."""
        self._mean, self._deviation = math.nan, math.nan

    def passes_over(self, envelope: Envelope, newest: Envelope, now: float) -> bool:
        """Say whether a message is to be passed over; otherwise it is begun now.

        Args:
            envelope: the present message.
            newest: the one that came last and waits.
            now: Trio time.
        """
        if _time_left(envelope, now) < self._enough(_time_left(newest, now)):
            return True
        self._began = now
        return False

    def _enough(self, most: float) -> float:
        """Return seconds within which an answer is very likely, if there may be that many.

        If there are fewer, but more than the mean, what is near to the most has the best
        chance. Not to know, or to have no chance at all, is not a reason to pass over.
        """
        likely = _MARGIN * self._mean
        if not likely <= most:
            return 0.0
        return min(likely + 4 * self._deviation, most / _MARGIN)

    def note_end(self, now: float) -> None:
        """Take note that the present message, if one was begun, is over."""
        if self._began is None:
            return
        seconds, self._began = now - self._began, None
        if math.isnan(self._mean):
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
        self._mean += (seconds - self._mean) / 8

    def note_cut_off(self, now: float) -> None:
        """Take note that it was cut off: it would have taken longer than that."""
        if self._began is None or not now - self._began <= self._mean:
            self.note_end(now)
        self._began = None


def _time_left(envelope: Envelope, now: float) -> float:
    return math.inf if envelope.deadline is None else envelope.deadline - now
