"""The traceback of a crash for the log: only the user's own lines, and not too many.

A handler is called from deep inside this library. Those frames do not help the reader,
so they are left out. The rest is limited, and each line is escaped, because an error
may be of any class and its text may contain anything.
"""

from __future__ import annotations

import time
import traceback
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import one_line

from ._error_copy import MAX_ERRORS, plain_copy

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

MAX_FRAMES: Final = 20
"""Lines of each error, the innermost ones."""
MAX_COLUMNS: Final = 300
AGAIN_AFTER: Final = 60.0
"""Seconds after which the same traceback is written again."""
_MOST_KNOWN: Final = 256
_OURS: Final = str(Path(__file__).parents[2]) + "/"
_traceback_of: Final[Any] = vars(BaseException)["__traceback__"].__get__


def short_traceback(error: BaseException, most_bytes: int) -> str:
    """Return the traceback of an error, without this library's frames.

    It reads the source files that it shows, once each.

    Args:
        error: The error.
        most_bytes: In UTF-8; if there are more, the outermost lines are left out.

    Returns:
        Lines, the innermost call last; empty if there is no frame of the user's.
    """
    if _innermost(error) is None:
        return ""
    shown = traceback.TracebackException.from_exception(
        plain_copy(error), limit=-MAX_FRAMES, max_group_width=MAX_ERRORS
    )
    _trim(shown)
    lines = "".join(shown.format()).removesuffix("\n").split("\n")
    return _fitting([one_line(line, MAX_COLUMNS) for line in lines], most_bytes)


def _innermost(error: BaseException) -> tuple[str, int] | None:
    """Return the file and line of the innermost frame that is not ours."""
    found: tuple[str, int] | None = None
    trace: TracebackType | None = _traceback_of(error)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(_OURS):
            found = file, trace.tb_lineno
        trace = trace.tb_next
    return found


def _trim(shown: traceback.TracebackException) -> None:
    """Leave out our frames, in an error and all that it consists of."""
    waiting: list[traceback.TracebackException | None] = [shown]
    while waiting:
        each = waiting.pop()
        if each is None:
            continue
        own = [frame for frame in each.stack if not frame.filename.startswith(_OURS)]
        each.stack[:] = own
        waiting += [each.__cause__, each.__context__, *(each.exceptions or ())]


def _fitting(lines: list[str], most_bytes: int) -> str:
    """Join lines; if there are too many, only the first and the last ones."""
    text = "\n".join(lines)
    if len(text.encode(errors="replace")) <= most_bytes:
        return text
    kept: list[str] = []
    left = most_bytes - len(lines[0].encode(errors="replace")) - 40
    for line in reversed(lines[1:]):
        left -= len(line.encode(errors="replace")) + 1
        if left < 0:
            break
        kept.append(line)
    count = len(lines) - 1 - len(kept)
    return "\n".join([lines[0], f"  ... {count} lines ...", *reversed(kept)])


@final
class Tracebacks:
    """Remembers the written tracebacks: an actor that crashes in a loop repeats one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[object, float] = OrderedDict()
        """When each was written, by the class of the error and its place."""

    def of(self, error: BaseException, most_bytes: int) -> str:
        """Return a traceback; empty if it was written within the last minute."""
        place = _innermost(error)
        if place is None:
            return ""
        key, now = (type(error), place), self._clock()
        written = self._known.get(key)
        if written is not None and now - written < AGAIN_AFTER:
            return ""
        self._known[key] = now
        self._known.move_to_end(key)
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)
        return short_traceback(error, most_bytes)
