"""From how a task ended to how its actor ended: one mapping, in one place.

| the task                                      | its actor               |
|-----------------------------------------------|-------------------------|
| returned                                      | normal                  |
| returned after we had asked it to stop        | shutdown                |
| was cut off by our cancellation               | killed                  |
| raised `Stop`: it ended itself on purpose     | shutdown, OTP's `{shutdown, _}` |
| raised `CapacityReached` before it was ready  | refused                 |
| raised `Ignore` before it was ready           | ignored                 |
| raised `Unhealthy`                            | unhealthy               |
| raised any other Exception, trapped           | crash                   |
| raised KeyboardInterrupt, SystemExit, or another BaseException | leaves the tree |

An error keeps its reason even when the stop had been asked for (OTP rules 42, 43).
Exception groups are looked into at every depth: one that must leave the tree leaves
it, and a group of one is its member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    CapacityReached,
    ExitKind,
    ExitReason,
    Offence,
    StartFailed,
    Unhealthy,
    one_line,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DETAIL: Final = 200
"""Characters of an error that go into the one line for people."""


class Stop(Exception):
    """Ends an actor on purpose, from inside (OTP: `{shutdown, _}`)."""


class Ignore(Exception):
    """Says, while an actor starts, that it is not to run (OTP: `ignore`)."""


@final
class GaveUp(Stop):
    """A supervisor ran out of restarts; its own end is a shutdown (OTP rule 35)."""

    def __init__(self, chain: Sequence[Offence]) -> None:
        self.chain = tuple(chain)
        super().__init__(self.chain)

    def __str__(self) -> str:
        last = self.chain[-1]
        return one_line(
            f"gave up: {last.child} needed restart {last.restarts} ({last.reason})"
        )


def failure_to_start(supervisor: str, child: str, reason: ExitReason) -> StartFailed:
    """Say that a supervisor did not start because of a child, however far below."""
    if isinstance(reason.error, StartFailed):
        return reason.error
    return StartFailed(supervisor, child, reason)


def offences_behind(reason: ExitReason) -> tuple[Offence, ...]:
    """Return the offences that led to this end, the first one first."""
    error = reason.error
    while isinstance(error, StartFailed):
        error = error.reason.error
    return error.chain if isinstance(error, GaveUp) else ()


def find_escapee(error: BaseException | None) -> BaseException | None:
    """Find what no supervisor may hold back, at any depth: what is no Exception."""
    if isinstance(error, BaseExceptionGroup):
        found = map(find_escapee, error.exceptions)
        return next((escapee for escapee in found if escapee is not None), None)
    return None if isinstance(error, Exception) else error


def exit_reason(
    error: BaseException | None, *, asked: bool, killed: bool, ready: bool
) -> ExitReason:
    """Say how an actor ended.

    Args:
        error: what its task raised, None if it raised nothing.
        asked: we had asked it to stop. Our own record, not Trio's.
        killed: we had cancelled it, and that is what ended it.
        ready: it had reported that it was started.
    """
    if error is not None:
        return _reason_for(_unwrapped(error), ready=ready)
    if killed:
        return ExitReason(ExitKind.KILLED, detail="it was cancelled")
    return ExitReason(ExitKind.SHUTDOWN if asked else ExitKind.NORMAL)


def _reason_for(error: BaseException, *, ready: bool) -> ExitReason:
    match error:
        case StartFailed() if error.reason.kind is ExitKind.REFUSED:
            kind = ExitKind.REFUSED
        case StartFailed() | Stop():
            kind = ExitKind.SHUTDOWN
        case CapacityReached() if not ready:
            kind = ExitKind.REFUSED
        case Ignore() if not ready:
            kind = ExitKind.IGNORED
        case Unhealthy():
            kind = ExitKind.UNHEALTHY
        case _:
            kind = ExitKind.CRASH
    return ExitReason(kind, error, describe(error))


def describe(error: BaseException) -> str:
    """Put an error into one short line."""
    text = str(error).strip().partition("\n")[0]
    name = type(error).__name__
    return one_line(f"{name}: {text}" if text else name, MAX_DETAIL)


def _unwrapped(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
