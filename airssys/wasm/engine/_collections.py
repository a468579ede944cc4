"""Prevents garbage collections on the stack of a guest.

The theory. Any allocation may start a collection, which runs the finalisers of arbitrary
objects. In a callback they run on the guest's stack, a fiber that Python does not know.
Up to 3.13 Python counts how deeply its C code recurses, and a fiber has room for that.
From 3.14 on it compares the stack pointer with the bounds of the thread's stack, finds it
outside, and applies no limit: a `repr` of a deeply nested list then overflows the fiber,
which ends the process. So from 3.14 on, collections are postponed while guests are
polled, which takes less than a tick.

Signal handlers run there too, as anywhere in the main thread. Ours only record the signal;
the program's own handlers must not recurse deeply in C either.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import TYPE_CHECKING, Final, final

from airssys.wasm import _c_api as c

if TYPE_CHECKING:
    from types import TracebackType

CHECKS_ADDRESSES: Final = sys.version_info >= (3, 14)
"""Whether this Python limits recursion in C by addresses."""


@final
class Deferred:
    """Postpones collections while any thread is in a `with` block."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._after_fork)

    def _begin(self) -> None:
        # A finaliser may enter it again, before collections are off.
        self._lock = threading.RLock()
        self._inside = 0
        self._turned_off = False
        """Whether we, and not the program, turned collections off."""

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._turned_off = gc.isenabled()
                if self._turned_off:
                    gc.disable()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._turned_off:
                self._turned_off = False
                gc.enable()

    def _after_fork(self) -> None:
        was_off = self._turned_off
        self._begin()  # the threads inside only exist in the parent
        if was_off:
            gc.enable()


COLLECTIONS_OFF: Final = Deferred()
"""One for the whole process, like `gc`."""


def poll_future(future: int) -> bool:
    """Let a guest continue; returns whether its call has finished."""
    if CHECKS_ADDRESSES:
        with COLLECTIONS_OFF:
            return bool(c.future_poll(future))
    return bool(c.future_poll(future))
