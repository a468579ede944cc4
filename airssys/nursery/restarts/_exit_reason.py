"""From how a task ended to how its actor ended: one mapping, in one place.

| the task                                      | its actor               |
|-----------------------------------------------|-------------------------|
| returned                                      | normal                  |
| returned after we had asked it to stop        | shutdown                |
| was cut off by our cancellation               | killed                  |
| raised `Stop`: it ended itself on purpose     | shutdown, OTP's `{shutdown, _}` |
| raised `CutOff`: its time to end was over      | killed                  |
| a guest that called `exit` with status 0       | normal                  |
| raised `CapacityReached` before it was ready  | refused                 |
| raised `Ignore` before it was ready           | ignored                 |
| raised `Unhealthy`                            | unhealthy               |
| raised any other Exception, trapped           | crash                   |
| raised KeyboardInterrupt, SystemExit, or another BaseException | leaves the tree |

An error keeps its reason even when the stop had been asked for (OTP rules 42, 43).
Exception groups are searched at every depth: one that must leave the tree leaves
it, and a group of one is its member.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.contracts import (
    CapacityReached,
    ExitKind,
    ExitReason,
    GuestTrapped,
    IntensityExceeded,
    StartFailed,
    Unhealthy,
    kind_name,
    one_line,
    only_member,
    text_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_DETAIL: Final = 200
"""Characters of an error that go into the one line for people."""


class Stop(Exception):
    """Ends an actor on purpose, from inside (OTP: `{shutdown, _}`)."""


class Ignore(Exception):
    """Says, while an actor starts, that it is not to run (OTP: `ignore`)."""


class CutOff(Exception):
    """An actor that ended itself did not finish in its shutdown time, and was cut off."""


@final
class GaveUp(Stop):
    """A supervisor ran out of restarts; its own end is a shutdown (OTP rule 35)."""

    def __init__(self, chain: Sequence[IntensityExceeded]) -> None:
        self.chain = tuple(chain)
        super().__init__(self.chain)

    def __str__(self) -> str:
        last = self.chain[-1]
        return one_line(
            f"gave up: {last.child} needed restart {last.restarts} ({last.reason})"
        )


def why_children_end(path: str, outcome: BaseException | None) -> str:
    """Say why the children of a supervisor are gone, as a clause."""
    if outcome is None:
        return f"{path} was stopped"
    return f"{path} gave up" if isinstance(outcome, GaveUp) else f"{path} ended"


def failure_to_start(supervisor: str, child: str, reason: ExitReason) -> StartFailed:
    """Say that a supervisor did not start because of a child, however far below."""
    error = reason.error
    if type(error) is StartFailed:
        return error
    return StartFailed(supervisor, child, reason)


def exceeded_behind(reason: ExitReason) -> tuple[IntensityExceeded, ...]:
    """Return each exceeded intensity that led to this end, the first one first."""
    error, seen = reason.error, set[int]()
    while type(error) is StartFailed and id(error) not in seen:
        seen.add(id(error))
        error = _reason_behind(error).error
    return error.chain if type(error) is GaveUp else ()


def _reason_behind(error: StartFailed) -> ExitReason:
    """Return why it did not start; users may raise such an error too, of anything."""
    reason: object = error.reason
    return reason if type(reason) is ExitReason else ExitReason(ExitKind.CRASH)


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
        error = only_member(error)
        return ExitReason(_kind_for(error, ready=ready), error, describe(error))
    if killed:
        return ExitReason(ExitKind.KILLED, detail="it was cancelled")
    return ExitReason(ExitKind.SHUTDOWN if asked else ExitKind.NORMAL)


def unjudged(error: BaseException | None) -> ExitReason:
    """Say that an actor crashed by an error of which no more can be found out."""
    name = "nothing" if error is None else kind_name(error)
    return ExitReason(ExitKind.CRASH, error, f"{name}, which cannot be described")


def exit_kind(error: BaseException, *, ready: bool) -> ExitKind:
    """Say what an error, or the only member of a group, makes of its actor."""
    return _kind_for(only_member(error), ready=ready)


def _kind_for(error: BaseException, *, ready: bool) -> ExitKind:
    kind = type(error)  # not `match`: that would ask the error itself what it is
    if type(error) is StartFailed:
        is_refused = _reason_behind(error).kind is ExitKind.REFUSED
        return ExitKind.REFUSED if is_refused else ExitKind.SHUTDOWN
    if issubclass(kind, Stop):
        return ExitKind.SHUTDOWN
    if type(error) is CutOff:
        return ExitKind.KILLED
    if type(error) is GuestTrapped and error.status == 0:
        return ExitKind.NORMAL
    if issubclass(kind, CapacityReached) and not ready:
        return ExitKind.REFUSED
    if issubclass(kind, Ignore) and not ready:
        return ExitKind.IGNORED
    return ExitKind.UNHEALTHY if issubclass(kind, Unhealthy) else ExitKind.CRASH


def describe(error: BaseException) -> str:
    """Put an error into one short line, whatever it is."""
    text = text_of(error).strip().partition("\n")[0]
    name = kind_name(error)
    return one_line(f"{name}: {text}" if text else name, MAX_DETAIL)
