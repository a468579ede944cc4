"""How long the Trio thread was ready to run while the machine ran something else.

On a busy machine a handler of a millisecond can take a tenth of a second by any clock,
because the machine gave the thread's processor to another program. That is not the
handler's doing. Linux counts it for each thread. Nor is it the handler's doing that the
thread waits for another one of this program, which holds Python's lock and was put aside
by the machine.
"""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Final, final

from ._lookout import Lookout

_SCHEDULED: Final = Path("/proc/thread-self/schedstat")
"""Of Linux: nanoseconds that this thread ran, and that it was ready to and did not."""


_THREADS: Final = Path("/proc/self/task")
"""Of Linux: a folder for each thread of this process, which has such a file."""


def waited_for_processor(file: Path | None = None) -> float:
    """Return the seconds that a thread was ready to run so far, while others ran.

    0 where the system does not count them, or cannot say it now; of this thread, if no
    file of another one is given.
    """
    try:
        return int((file or _SCHEDULED).read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def waits_of_others() -> dict[str, float]:
    """Return the same for each other thread of this process."""
    try:
        threads = {folder.name for folder in _THREADS.iterdir()}
    except OSError:
        return {}
    threads.discard(str(threading.get_native_id()))
    return {
        name: waited_for_processor(_THREADS / name / "schedstat") for name in threads
    }


@final
class Lateness:
    """The share of the machine in the time for which an actor held the thread.

    Reading it costs more than most handlers. So it is read once in a while, and compared
    with only when an actor seems to have held the thread for longer than the limit. What
    is found then is too much by at most what the machine took in the `limit` seconds
    before, so that no handler is named for what it may not have done.
    """

    __slots__ = ("_noted", "_others", "_ran", "_waited", "due", "limit", "lookout")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        """Seconds for which an actor may hold the thread."""
        self.due = -math.inf
        """By `time.perf_counter`: a handler that begins after it calls `note` first."""
        self._waited = self._noted = self._ran = 0.0
        self._others: dict[str, float] = {}
        self.lookout = Lookout(limit)
        """Sees where a handler stands that holds the thread."""

    def note(self) -> None:
        """Read how late the machine is now; called again and again while handlers run."""
        self.lookout.keep_up()
        self._waited, self._others = waited_for_processor(), waits_of_others()
        self._ran, self._noted = time.thread_time(), time.perf_counter()
        self.due = self._noted + self.limit

    def since_noted(self) -> float:
        """Return the seconds that the machine took since `note` was called.

        These are the time in which this thread was ready to run; and of the time in which
        it waited for anything else, at most as long as one other thread was ready to run.
        """
        own = max(waited_for_processor() - self._waited, 0.0)
        ran = time.thread_time() - self._ran
        waited_else = max(time.perf_counter() - self._noted - own - ran, 0.0)
        since, before = waits_of_others(), self._others
        others = (waited - before.get(name, 0.0) for name, waited in since.items())
        return own + min(max(others, default=0.0), waited_else)
