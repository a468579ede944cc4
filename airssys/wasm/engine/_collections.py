"""No collections of garbage on the stack of a guest.

The theory. A collection may come with any allocation, and runs the finalisers of
anybody's objects. In a callback that is on the guest's stack, a fiber of which Python
knows nothing. Until 3.13 Python counts how deep its C code calls itself, and a fiber has
room for that. From 3.14 on it compares the address of the stack with that of the
thread's stack, finds it outside, and does not limit anything: a `repr` of a deeply
nested list then runs over the end of the fiber, which ends the process. So from 3.14 on
collections are put off while guests are polled, which is for less than a tick.

Signal handlers run there too, as anywhere in the main thread; ours only take notes, and
one that somebody else has installed must not call C too deeply either.
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
    """Puts collections off while a thread is inside; several may be at once."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._after_fork)

    def _begin(self) -> None:
        # It may be entered again inside: by a finaliser, before collections are off.
        self._lock = threading.RLock()
        self._inside = 0
        self._turned_off = False
        """By us, and not by the program."""

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
        self._begin()  # who was inside is in the parent only
        if was_off:
            gc.enable()


COLLECTIONS_OFF: Final = Deferred()
"""For the whole process, as `gc` is."""


def poll_future(future: int) -> bool:
    """Let a guest go on; returns whether its call has finished."""
    if CHECKS_ADDRESSES:
        with COLLECTIONS_OFF:
            return bool(c.future_poll(future))
    return bool(c.future_poll(future))
