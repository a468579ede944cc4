"""Limits how long a test waits, in the machine's time and not in Trio's.

Theory. A test under a `MockClock` may wait for something that comes after an hour of
Trio's time, and it waits for ever if that time stands still. So a deadline on Trio's clock
is not useful; the person who runs the test cares about the machine's time. A thread counts
that time, which does not affect Trio's clocks. It counts in short steps, each with its
nominal length, so that the limit is longer on an overloaded machine.
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
"""The limit is this many times as long while threads that Trio started are running,
because compiling a component is not the test's fault."""


@contextmanager
def patience(seconds: float) -> Iterator[trio.CancelScope]:
    """Cancel the block after that many seconds of the machine's time.

    Like `trio.move_on_after`, it raises nothing; check `cancelled_caught`.
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


def _count(
    seconds: float, is_over: threading.Event, report: Callable[[], None]
) -> None:
    while True:
        for _ in range(max(1, round(seconds / _STEP))):
            if is_over.wait(_STEP):
                return
        try:
            report()
        except trio.RunFinishedError:
            return
