"""How long the Trio thread was ready to run while the machine ran something else.

On a busy machine a handler of a millisecond can take a tenth of a second by any clock,
because the machine gave the thread's processor to another program. That is not the
handler's doing. Linux counts it for each thread.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, final

from ._lookout import Lookout

_SCHEDULED: Final = Path("/proc/thread-self/schedstat")
"""Of Linux: nanoseconds that this thread ran, and that it was ready to and did not."""


def waited_for_processor() -> float:
    """Return the seconds that this thread was ready to run so far, while others ran.

    0 where the system does not count them, or cannot say it now.
    """
    try:
        return int(_SCHEDULED.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


@final
class Lateness:
    """The share of the machine in the time for which an actor held the thread.

    Reading it costs more than most handlers. So it is read once in a while, and compared
    with only when an actor seems to have held the thread for longer than the limit. What
    is found then is too much by at most what the machine took in the `limit` seconds
    before, so that no handler is named for what it may not have done.
    """

    __slots__ = ("_waited", "due", "limit", "lookout")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        """Seconds for which an actor may hold the thread."""
        self.due = 0.0
        """By `time.perf_counter`: a handler that begins after it calls `note` first."""
        self._waited = 0.0
        self.lookout = Lookout(limit)
        """Sees where a handler stands that holds the thread."""

    def note(self) -> None:
        """Read how late the machine is now; called again and again while handlers run."""
        self.lookout.keep_up()
        self._waited = waited_for_processor()
        self.due = time.perf_counter() + self.limit

    def since_noted(self) -> float:
        """Return the seconds that the machine took since `note` was called."""
        return max(waited_for_processor() - self._waited, 0.0)
