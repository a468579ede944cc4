"""Where a guest's polls are run, learnt from how long they took.

A poll ends at the guest's next tick, unless wasmtime is moving a large value in or out,
which nothing interrupts. A guest that does such things is sent to the worker threads.
Real time alone does not tell: on a loaded machine any poll may take long because the
thread was not running. So a poll that took long in real time only makes a guest
suspect, and what a suspect's next polls took of the processor decides: several, since
the poll that moves a large value is often followed by one that moves nothing.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from ._fiber import Call

GOOD_POLLS: Final = 16
"""So many in a row clear a guest of a suspicion, or bring it back from the workers."""


@final
class Conduct:
    """What one guest's polls have been like."""

    __slots__ = ("_good_polls_due", "patience", "suspect")

    def __init__(self, tick: float) -> None:
        self.patience = 2 * tick
        """Seconds of one poll beyond which it held the thread too long."""
        self.suspect = 0
        """So many of its next polls must be measured, by `poll`."""
        self._good_polls_due = 0

    @property
    def in_worker(self) -> bool:
        """Whether its slices belong in a worker thread."""
        return self._good_polls_due > 0

    def send_to_worker(self) -> None:
        """Take note that a large value is about to be moved."""
        self._good_polls_due = max(1, self._good_polls_due)

    def poll(self, call: Call) -> bool:
        """Poll, in whichever thread, and learn from what it took of the processor."""
        began = time.thread_time()
        finished = call.poll(call.owner)
        if time.thread_time() - began > self.patience:
            self._good_polls_due = GOOD_POLLS
        elif self._good_polls_due:
            self._good_polls_due -= 1
        self.suspect = GOOD_POLLS if self.in_worker else max(0, self.suspect - 1)
        return finished
