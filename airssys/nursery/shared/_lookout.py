"""Where a handler stood while it held the thread: another thread reads its stack.

When a handler has held the thread, it is over, and nothing of Python says any more in which
line it was. So while handlers run, another thread reads the stack of the Trio thread once
in a while, and remembers what it saw. The Trio thread pays for that only when `keep_up` is
called, a few times a second, and nothing for a message. While no handler runs it is not
called, and that thread ends.

It does so every nine tenths of the limit, for two limits after each `keep_up`, which is
called at least once per limit while handlers run. So the stack is read within each handler that
holds the thread for longer than the limit: the thread may get the interpreter only when the
handler lets it go, but then in the line that has held it, or right behind it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from trio.lowlevel import start_thread_soon

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_LIBRARY: Final = str(Path(__file__).parents[2])
_ENTRIES: Final = (
    str(Path(_LIBRARY, "nursery", "behaviours", "_python_actor.py")),
    str(Path(_LIBRARY, "nursery", "behaviours", "_held_thread.py")),
)
"""Files whose functions call handlers."""
_KEPT: Final = 8
_MOST_FRAMES: Final = 200
_LEAST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 60.0
"""With a limit above this no stack is read."""


@final
class Lookout:
    """Reads the stack of one thread, while handlers run there."""

    def __init__(self, limit: float) -> None:
        self._pause = max(0.9 * limit, _LEAST_PAUSE)
        self._goes_on = 2 * self._pause
        self._is_wanted = self._pause < _LONGEST_PAUSE
        self._until = 0.0
        self._is_running = False
        self._lock = threading.Lock()
        """For the two above."""
        self._looks: deque[tuple[float, str]] = deque(maxlen=_KEPT)
        """When, as of `time.perf_counter`, and what was seen."""

    def keep_up(self) -> None:
        """Read the stack of the present thread for a while from now on."""
        with self._lock:
            self._until = time.monotonic() + self._goes_on
            if self._is_running or not self._is_wanted:
                return
            self._is_running = True
        thread = threading.get_ident()
        try:
            start_thread_soon(lambda: self._run(thread), lambda _: None)
        except RuntimeError:  # there can be no more threads
            self._is_wanted = self._is_running = False

    def seen_since(
        self, when: float, is_of_others: Callable[[float], bool] | None = None
    ) -> str:
        """Return where a handler was last seen since a time; empty if it was not.

        Args:
            when: as of `time.perf_counter`.
            is_of_others: whether another handler ran at some time after it.
        """
        for at, where in reversed(tuple(self._looks)):
            if at < when:
                break
            if where and not (is_of_others and is_of_others(at)):
                return where
        return ""

    def _run(self, thread: int) -> None:
        while True:
            time.sleep(self._pause)  # noqa: TID251  # not in the Trio thread
            self._look(thread)
            with self._lock:
                if time.monotonic() >= self._until:
                    self._is_running = False
                    return

    def _look(self, thread: int) -> None:
        # No frame may stay alive until the next look.
        frame = sys._current_frames().get(thread)  # noqa: SLF001  # documented in spite of its name
        if frame is not None:
            self._looks.append((time.perf_counter(), _place(frame)))


def _place(innermost: FrameType) -> str:
    """Return where the handler stands, and where in what it has called; empty without one."""
    frame: FrameType | None = innermost
    inner = outer = None
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return ""
        file = frame.f_code.co_filename
        if file in _ENTRIES:
            break
        if not file.startswith(_LIBRARY):
            outer = frame
            inner = inner or frame
        frame = frame.f_back
    if outer is None or inner is None:
        return ""
    if inner is outer:
        return _line(outer)
    return f"{_line(outer)}, which called {_line(inner)}"


def _line(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
