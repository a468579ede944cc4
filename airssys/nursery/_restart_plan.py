"""What a supervisor does when a child has ended: a table, and a count.

`RESTARTS` is OTP's rules 20-22. A restart is counted before it is made, and a
supervisor that counted too many gives up instead (rule 31). A restart that fails is
itself followed by another, whatever the restart type says, and counts again (rule 32).

Ours, not OTP's: a start refused for want of capacity is nobody's failure. It is tried
again after a pause and does not count, so that a machine that is full for a while
costs neither the tree nor the thread.
"""

from __future__ import annotations

import enum
from typing import Final, final

import attrs

from airssys.contracts import ExitKind, ExitReason, RestartType

from ._intensity import RestartWindow

RETRY_PAUSE: Final = 1.0
"""Seconds until a start that was refused for want of capacity is tried again."""


class Verdict(enum.Enum):
    """What becomes of a child that ended."""

    RESTART = "start it again at once"
    RETRY_LATER = "start it again after a pause"
    KEEP_STOPPED = "keep its place, without a child"
    FORGET = "forget it"
    GIVE_UP = "stop everything"


RESTARTS: Final = {
    (RestartType.PERMANENT, True): Verdict.RESTART,
    (RestartType.PERMANENT, False): Verdict.RESTART,
    (RestartType.TRANSIENT, True): Verdict.KEEP_STOPPED,
    (RestartType.TRANSIENT, False): Verdict.RESTART,
    (RestartType.TEMPORARY, True): Verdict.FORGET,
    (RestartType.TEMPORARY, False): Verdict.FORGET,
}
"""By restart type and whether the child ended normally or by shutdown."""

EXPECTED: Final = frozenset({ExitKind.NORMAL, ExitKind.SHUTDOWN})
"""The ends that are no failure."""


@final
@attrs.frozen
class Plan:
    """A verdict, and the restarts counted once it is carried out."""

    verdict: Verdict
    window: RestartWindow


def plan_restart(
    restart: RestartType,
    reason: ExitReason,
    window: RestartWindow,
    now: float,
    *,
    was_ready: bool,
) -> Plan:
    """Decide what becomes of a child that ended without having been asked to.

    Args:
        restart: its restart type.
        reason: how it ended.
        window: the restarts of its supervisor so far.
        now: seconds, on the clock of the window.
        was_ready: it had been started; False when a restart failed.
    """
    if reason.kind is ExitKind.REFUSED:
        return Plan(Verdict.RETRY_LATER, window)
    verdict = Verdict.RESTART
    if was_ready:
        verdict = RESTARTS[restart, reason.kind in EXPECTED]
    if verdict is not Verdict.RESTART:
        return Plan(verdict, window)
    window = window.stamped(now)
    return Plan(Verdict.GIVE_UP if window.is_exceeded else Verdict.RESTART, window)
