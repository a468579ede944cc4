"""Which Pythons airssys runs on, beyond what a version number says."""

from __future__ import annotations

import sys


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


check_interpreter()
