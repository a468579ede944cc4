"""Decides where a guest's polls run, from how long earlier ones took.

A poll ends at the guest's next tick, unless wasmtime is moving a large value in or out,
which cannot be interrupted. A guest that does this is moved to the worker threads. Real
time alone does not show it: on a loaded machine any poll may take long because the
thread was not running. So a poll that took long in real time only makes a guest
suspect, and the processor time of its next polls decides. Several are measured, because
the poll that moves a large value is often followed by one that moves nothing.

Such a poll cannot be stopped, and a guest's first one cannot be predicted. But what one
instance has done is remembered for its component (`Habits`): the next instance begins
in a worker, and an instance that returns from there and does it again stays there twice
as long. So the thread is blocked ever more rarely, whatever the guest does in between.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from airssys.wasm.engine import GuestCall

GOOD_POLLS: Final = 16
"""Good polls in a row that clear a suspect guest, or bring it back from the workers."""
_MOST_GOOD_POLLS: Final = 4096
_TOO_LONG: Final = 256 * 1024
"""Bytes of a value that take wasmtime some milliseconds to move out, of any type."""


@final
class Habits:
    """What the instances of one component have done to the Trio thread so far."""

    __slots__ = ("good_polls", "news")

    def __init__(self) -> None:
        self.good_polls = 0
        """Good polls needed to bring an instance back from the workers, 0 at first."""
        self.news = 0
        """How often something was noted; all instances read it."""

    def note_held(self) -> None:
        """Note that a poll blocked a thread for too long."""
        more = max(GOOD_POLLS, 2 * self.good_polls)
        self.good_polls = min(more, _MOST_GOOD_POLLS)
        self.news += 1

    def note_long(self) -> None:
        """Note that a poll moved a long value, which may take too long."""
        self.good_polls = max(1, self.good_polls)
        self.news += 1


@final
class PollPlacement:
    """The recent polls of one guest."""

    __slots__ = ("_good_polls_due", "_habits", "_seen", "patience", "suspect")

    def __init__(self, tick: float, habits: Habits | None = None) -> None:
        self._habits = Habits() if habits is None else habits
        self.patience = 2 * tick
        """Seconds of one poll above which it blocked the thread for too long."""
        self.suspect = 0
        """The number of its next polls that must be measured, by `poll`."""
        self._good_polls_due = 0
        self._seen = 0

    @property
    def in_worker(self) -> bool:
        """Whether its slices belong in a worker thread."""
        if self._seen != self._habits.news:
            self._seen = self._habits.news
            self._good_polls_due = max(self._good_polls_due, self._habits.good_polls)
        return self._good_polls_due > 0

    def send_to_worker(self) -> None:
        """Note that a large value is about to be moved in."""
        self._good_polls_due = max(1, self._good_polls_due)

    def note_long(self) -> bool:
        """Note that a poll moved a long value out; returns whether no worker did."""
        was_here = not self.in_worker
        self._habits.note_long()
        return was_here

    def note_size(self, size: int, *, was_here: bool) -> None:
        """Note the number of bytes of that value."""
        if was_here and size > _TOO_LONG:
            self._habits.note_held()

    def poll(self, call: GuestCall) -> bool:
        """Poll, in whichever thread, and learn from the processor time that it took."""
        began = time.thread_time()
        finished = call.poll(call.owner)
        if time.thread_time() - began > self.patience:
            if not self._good_polls_due or self._habits.good_polls < GOOD_POLLS:
                self._habits.note_held()
            self._good_polls_due = self._habits.good_polls
        elif self._good_polls_due:
            self._good_polls_due -= 1
        self.suspect = GOOD_POLLS if self.in_worker else max(0, self.suspect - 1)
        return finished
