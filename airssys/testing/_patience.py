"""A limit for how long a test waits, in the machine's time and not in Trio's.

Theory. A test under a `MockClock` may rightly wait for something that comes after an
hour of Trio's time, and waits for ever if that time stands still; so a deadline of Trio
fits neither. What a reader of the test minds is the machine's time. A thread counts it,
which Trio's clocks do not see. It counts in short steps, none of them for more than it
should have taken: on a machine that has no time for us, we wait longer.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import trio
from trio.testing import active_thread_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE: Final = 5.0
"""Seconds."""
_STEP: Final = 0.05
_THREADS_TIMES: Final = 20
"""How many times as long we wait while threads that Trio started are at work: a
component may be compiled, for which the test can do nothing."""


@contextmanager
def patience(seconds: float) -> Iterator[trio.CancelScope]:
    """Cancel what is inside after so many seconds of the machine's time.

    As with `trio.move_on_after`, nothing is raised; ask `cancelled_caught`.
    """
    scope = trio.CancelScope()
    token = trio.lowlevel.current_trio_token()
    is_over = threading.Event()
    periods = 0

    def end_of_period() -> None:
        nonlocal periods
        periods += 1
        if active_thread_count() == 0 or periods >= _THREADS_TIMES:
            is_over.set()
            scope.cancel()

    counting = threading.Thread(
        target=_count,
        args=(seconds, is_over, lambda: token.run_sync_soon(end_of_period)),
        name="airssys.testing",
        daemon=True,
    )
    counting.start()
    try:
        with scope:
            yield scope
    finally:
        is_over.set()


def _count(seconds: float, is_over: threading.Event, tell: Callable[[], None]) -> None:
    while True:
        for _ in range(max(1, round(seconds / _STEP))):
            if is_over.wait(_STEP):
                return
        try:
            tell()
        except trio.RunFinishedError:
            return
