"""The end of one incarnation of a child: the event that reports it. Pure.

| cause             | was it ready | event              | problem, as OTP reports it    |
|-------------------|--------------|--------------------|-------------------------------|
| own               | yes          | `ChildExited`      | by restart type and reason    |
| own               | no           | `ChildStartFailed` |                               |
| stopped           | yes          | `ChildExited`      | if it did not end as asked to |
| stopped           | no           | `ChildExited`      | if it did not end as asked to |
| supervisor killed | either       | `ChildExited`      | not judged                    |

A child that ends before it is ready, and before it was asked to stop, has failed to
start, whatever the cause. A start that was ignored is an exit, not a failure.
"""

from __future__ import annotations

import enum
from typing import NamedTuple, final

from airssys.contracts import (
    ChildExited,
    ChildSpec,
    ChildStartFailed,
    ExitKind,
    ExitReason,
    Problem,
    TraceContext,
)

from ._reports import problem_of_end, problem_of_stop


class Cause(enum.Enum):
    """Why the supervisor of a child has to report its end."""

    OWN = "own"
    """It ended by itself, or was killed by request."""
    STOPPED = "stopped"
    """Its supervisor stopped it, or it had ended when its turn to stop came."""
    SUPERVISOR_KILLED = "supervisor killed"
    """Its supervisor was killed, and it was killed with it."""


@final
class End(NamedTuple):
    """How one incarnation ended: all that is reported of it."""

    supervisor: str
    """The path of its supervisor."""
    child: str
    """Its name among its siblings."""
    spec: ChildSpec
    reason: ExitReason
    cause: Cause
    restarts: int
    """How often the child was ready again."""
    was_ready: bool
    asked: bool
    """Its supervisor asked it to stop or killed it, before it had ended."""
    restarting: bool
    """It is going to be started again."""
    trace: TraceContext | None = None
    """That of the message in progress."""

    @property
    def failed_to_start(self) -> bool:
        """Whether it ended before it was ready, without being asked to, not ignored."""
        return self.cut_its_start_short and self.reason.kind is not ExitKind.IGNORED

    @property
    def cut_its_start_short(self) -> bool:
        """Whether the end is the answer to the request for its start."""
        return not self.was_ready and not self.asked


def event_of(end: End) -> ChildExited | ChildStartFailed:
    """Return the event that reports an end."""
    if end.failed_to_start:
        return ChildStartFailed(
            end.supervisor,
            end.child,
            end.reason,
            end.restarting,
            spec=end.spec,
            restarts=end.restarts,
        )
    return ChildExited(
        end.supervisor,
        end.child,
        end.reason,
        asked=end.asked,
        restarting=end.restarting,
        problem=problem_of(end),
        spec=end.spec,
        restarts=end.restarts,
        trace=end.trace,
    )


def problem_of(end: End) -> Problem | None:
    """Return the problem that OTP would report of an end; None if there is none."""
    if end.cause is Cause.OWN:
        return problem_of_end(end.spec.restart, end.reason)
    if end.cause is Cause.STOPPED:
        return problem_of_stop(end.spec, end.reason)
    return None
