"""Python itself: on which builds airssys runs, and how its collector of garbage is set."""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RARELY_FULL: Final = 1000
"""Collections of the middle generation before a full one; Python's own is 10."""

_lock = threading.Lock()
_opening = 0
"""Trees that open now, in any thread."""
_before = gc.get_threshold()
"""The setting before the first of them."""


def check_interpreter() -> None:
    """Refuse a Python that runs without its global interpreter lock.

    A build for free threading that was started with the lock is like any other.

    Raises:
        ImportError: it runs without the lock.
    """
    is_locked = getattr(sys, "_is_gil_enabled", None)
    if is_locked is not None and not is_locked():
        raise ImportError(
            "airssys needs Python's global interpreter lock, and this free-threaded "
            "Python runs without it: guests call Python in the middle of C, and the lock "
            "keeps other threads out meanwhile. Start Python with -X gil=1 or "
            "PYTHON_GIL=1, or use a build that is not free-threaded."
        )


@contextmanager
def few_full_collections(*, wanted: bool = True) -> Iterator[None]:
    """Make full collections rare in the block, and restore the setting after the last one.

    A tree that opens makes many objects that live long. Python's collector visits all of
    them again and again and finds nothing; a third of the time of opening thousands of
    actors went there. If it made so many that Python would visit them soon, that is done
    at the end of the block, and not in the middle of the first messages.

    The setting belongs to the whole process. What the program itself sets meanwhile
    stays. Does nothing unless `wanted`, and if the program has made them as rare, or has
    turned them off by 0.
    """
    global _opening, _before  # noqa: PLW0603  # a setting of the process
    if not wanted:
        yield
        return
    with _lock:
        _opening += 1
        if _opening == 1:
            _before = gc.get_threshold()
            if 0 < _before[2] < RARELY_FULL:
                gc.set_threshold(*_before[:2], RARELY_FULL)
    try:
        yield
    finally:
        with _lock:
            _opening -= 1
            ours, is_due = (*_before[:2], RARELY_FULL), False
            if _opening == 0 and gc.get_threshold() == ours:
                gc.set_threshold(*_before)
                is_due = gc.isenabled() and gc.get_count()[2] > _before[2]
        if is_due:
            gc.collect()


check_interpreter()
