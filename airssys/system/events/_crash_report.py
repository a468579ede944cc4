"""Everything known about a crash, as a value and as text for people.

An error may be arbitrarily deep and long; its report is limited.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import (
    ChildExited,
    ChildSpec,
    ChildStartFailed,
    ExitKind,
    ExitReason,
    one_line,
    repr_of,
)

from ._error_copy import MAX_ERRORS, plain_copy

if TYPE_CHECKING:
    from airssys.contracts import Event

MAX_FRAMES: Final = 20
"""Lines of each traceback, the innermost ones."""
MAX_LINES: Final = 200
MAX_COLUMNS: Final = 500

_REPORTED: Final = {ExitKind.CRASH, ExitKind.UNHEALTHY}


@final
@attrs.frozen
class CrashReport:
    """One crash: the child, the error, the restarts before, and what follows."""

    supervisor: str
    """Path of the supervisor, e.g. `root/workers`."""
    child: str
    """The child that crashed, by its name among its siblings."""
    reason: ExitReason
    was_ready: bool
    """Whether it crashed while it ran, not while it started."""
    restarting: bool
    """Whether its supervisor is about to restart it."""
    restarts: int
    """How often it had become ready again until then."""
    spec: ChildSpec | None = attrs.field(eq=False, repr=False)
    traceback: tuple[str, ...] = attrs.field(eq=False, repr=False)
    """Lines, the innermost call last; empty if there is no error."""

    @classmethod
    def of(cls, event: Event) -> CrashReport | None:
        """Report on a child that ended or did not start; None if it did not crash."""
        if not isinstance(event, (ChildExited, ChildStartFailed)):
            return None
        if event.reason.kind not in _REPORTED:
            return None
        return cls(
            event.supervisor,
            event.child,
            event.reason,
            isinstance(event, ChildExited),
            event.restarting,
            event.restarts,
            event.spec,
            tuple(_lines(event.reason.error)),
        )

    def __str__(self) -> str:
        what = "crashed" if self.was_ready else "crashed while it started"
        then = "it will be restarted" if self.restarting else "it will not be restarted"
        head = [
            one_line(f"{self.supervisor}/{self.child} {what}: {self.reason}"),
            f"  restarts before: {self.restarts}; {then}",
        ]
        if self.spec is not None:
            head.append(f"  specification: {one_line(_shown(self.spec), MAX_COLUMNS)}")
        return "\n".join([*head, *(f"  {line}" for line in self.traceback)])


def _lines(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    shown = traceback.TracebackException.from_exception(
        plain_copy(error), limit=-MAX_FRAMES, max_group_width=MAX_ERRORS
    )
    text = "".join(shown.format())
    return [one_line(line, MAX_COLUMNS) for line in _shortened(text)]


def _shortened(text: str) -> list[str]:
    """Return the lines of a text, or only the first and the last of them."""
    text = text.removesuffix("\n")
    count = text.count("\n") + 1
    if count <= MAX_LINES:
        return text.split("\n")
    half = MAX_LINES // 2
    first = text.split("\n", half)[:half]
    last = text.rsplit("\n", half)[-half:]
    return [*first, f"... {count - 2 * half} lines ...", *last]


def _shown(spec: ChildSpec) -> str:
    text = repr_of(spec, MAX_COLUMNS)
    return " ".join(text.split())
