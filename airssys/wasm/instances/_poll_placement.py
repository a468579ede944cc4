"""Where a guest's polls are run, learnt from how long they took.

A poll ends at the guest's next tick, unless wasmtime is moving a large value in or out,
which nothing interrupts. A guest that does such things is sent to the worker threads.
Real time alone does not tell: on a loaded machine any poll may take long because the
thread was not running. So a poll that took long in real time only makes a guest
suspect, and what a suspect's next polls took of the processor decides: several, since
the poll that moves a large value is often followed by one that moves nothing.

Nothing can stop such a poll, and what a guest does first nobody can know. But what one
instance has done its component remembers (`Habits`): the next instance begins with a
worker, and who comes back from there and does it again stays twice as long. So the
thread is held by it ever more rarely, whatever the guest does in between.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from airssys.wasm.engine import GuestCall

GOOD_POLLS: Final = 16
"""So many in a row clear a guest of a suspicion, or bring it back from the workers."""
_MOST_GOOD_POLLS: Final = 4096
_TOO_LONG: Final = 256 * 1024
"""Bytes of a value that wasmtime needs some milliseconds to move out, whatever it is."""


@final
class Habits:
    """What the instances of one component have done to the Trio thread so far."""

    __slots__ = ("good_polls", "news")

    def __init__(self) -> None:
        self.good_polls = 0
        """So many bring an instance back from the workers; 0: none has held it."""
        self.news = 0
        """How often something was noted; all instances go by it."""

    def note_held(self) -> None:
        """Take note that a poll held a thread for too long."""
        more = max(GOOD_POLLS, 2 * self.good_polls)
        self.good_polls = min(more, _MOST_GOOD_POLLS)
        self.news += 1

    def note_long(self) -> None:
        """Take note that a poll moved a long value, which may take too long."""
        self.good_polls = max(1, self.good_polls)
        self.news += 1


@final
class PollPlacement:
    """What one guest's polls have been like."""

    __slots__ = ("_good_polls_due", "_habits", "_heard", "patience", "suspect")

    def __init__(self, tick: float, habits: Habits | None = None) -> None:
        self._habits = Habits() if habits is None else habits
        self.patience = 2 * tick
        """Seconds of one poll beyond which it held the thread too long."""
        self.suspect = 0
        """So many of its next polls must be measured, by `poll`."""
        self._good_polls_due = 0
        self._heard = 0

    @property
    def in_worker(self) -> bool:
        """Whether its slices belong in a worker thread."""
        if self._heard != self._habits.news:
            self._heard = self._habits.news
            self._good_polls_due = max(self._good_polls_due, self._habits.good_polls)
        return self._good_polls_due > 0

    def send_to_worker(self) -> None:
        """Take note that a large value is about to be moved in."""
        self._good_polls_due = max(1, self._good_polls_due)

    def note_long(self) -> bool:
        """Take note that a poll has moved a long value out; whether no worker did it."""
        was_here = not self.in_worker
        self._habits.note_long()
        return was_here

    def note_size(self, size: int, *, was_here: bool) -> None:
        """Take note of how many bytes that value had."""
        if was_here and size > _TOO_LONG:
            self._habits.note_held()

    def poll(self, call: GuestCall) -> bool:
        """Poll, in whichever thread, and learn from what it took of the processor."""
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
