"""What is reported of an end: OTP's error reports, and answers to requests. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.contracts import (
    BrutalKill,
    ExitKind,
    ExitReason,
    Ignored,
    NameTaken,
    Problem,
    Refusal,
    Refused,
    RestartType,
    Shutdown,
)

from ._exit_reason import GaveUp
from ._plan import EXPECTED

if TYPE_CHECKING:
    from airssys.contracts import ChildSpec


def problem_of_end(restart: RestartType, reason: ExitReason) -> Problem | None:
    """Judge the end of a child that was not asked to end."""
    if reason.kind is ExitKind.IGNORED:
        return None
    is_expected = restart is not RestartType.PERMANENT and reason.kind in EXPECTED
    return None if is_expected else Problem.CHILD_TERMINATED


def problem_of_stop(spec: ChildSpec, reason: ExitReason) -> Problem | None:
    """Judge the end of a child that was stopped, or ended when its turn came (43)."""
    is_fine = _is_proper(spec.restart, spec.shutdown, reason)
    return None if is_fine else Problem.SHUTDOWN_ERROR


def answer_to_start(child: str, reason: ExitReason) -> Ignored | Refused:
    """Answer the request for the start of a child that ended before it was ready."""
    is_ignored = reason.kind is ExitKind.IGNORED
    return Ignored(child) if is_ignored else refused_start(child, reason)


def refused_start(child: str, reason: ExitReason) -> Refused:
    """Answer the request for a start that failed: why it did."""
    is_taken = type(reason.error) is NameTaken
    why = Refusal.NAME_TAKEN if is_taken else Refusal.START_FAILED
    return Refused(why, child, reason)


def _is_proper(restart: RestartType, shutdown: Shutdown, reason: ExitReason) -> bool:
    is_brutal = isinstance(shutdown, BrutalKill)
    is_permanent = restart is RestartType.PERMANENT
    match reason.kind:
        case ExitKind.KILLED:
            return is_brutal
        case ExitKind.SHUTDOWN if _is_plain(reason):
            return not (is_brutal and is_permanent)
        case ExitKind.SHUTDOWN | ExitKind.NORMAL:
            return not is_permanent
        case ExitKind.REFUSED | ExitKind.IGNORED:
            return True
        case _:
            return False


def _is_plain(reason: ExitReason) -> bool:
    """Tell OTP's `shutdown` from `{shutdown, _}`, by which a child ended itself."""
    return reason.error is None or type(reason.error) is GaveUp
