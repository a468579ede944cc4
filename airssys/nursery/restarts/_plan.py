"""What a supervisor does when a child has ended: tables, and a count. Pure.

Three questions, each with a function of its own:

* `judge_end`: is the child started again? `RESTARTS` is OTP's rules 20-22; what an
  error asks for by `on_error` goes before it.
* `plan_attempt`: may it be, and who else shares the restart? A restart is counted
  before it is made, one stamp however many children share it, and a supervisor that
  counted too many gives up instead (31, 34). A restart that fails is followed by
  another, which counts again (32).
* `ends_supervisor`: has a significant child taken its supervisor with it (49-52)?

Ours, not OTP's: a start that was refused because there is no capacity is not a failure. It is tried
again after a pause and does not count, so that a machine that is full for a while
costs neither the tree nor the thread.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar, final

import attrs

from airssys.contracts import (
    AutoShutdown,
    Directive,
    ExitKind,
    ExitReason,
    OnError,
    RestartType,
    Strategy,
    is_wholly,
)

from ._intensity import RestartWindow

if TYPE_CHECKING:
    from collections.abc import Iterable

RETRY_PAUSE: Final = 1.0
"""Seconds until a start that was refused, because there is no capacity, is tried again."""


class Verdict(enum.Enum):
    """What follows when a child ended by itself."""

    RESTART = "start it again"
    KEEP_STOPPED = "keep its place, without a child"
    FORGET = "forget it"
    ESCALATE = "fail with its error"


RESTARTS: Final = {
    (RestartType.PERMANENT, True): Verdict.RESTART,
    (RestartType.PERMANENT, False): Verdict.RESTART,
    (RestartType.TRANSIENT, True): Verdict.KEEP_STOPPED,
    (RestartType.TRANSIENT, False): Verdict.RESTART,
    (RestartType.TEMPORARY, True): Verdict.FORGET,
    (RestartType.TEMPORARY, False): Verdict.FORGET,
}
"""By restart type and whether the child ended normally or by shutdown."""

EXPECTED: Final = (ExitKind.NORMAL, ExitKind.SHUTDOWN)
"""The ends that are not failures."""


def directive_for(on_error: OnError, error: BaseException | None) -> Directive | None:
    """Find what an error asks for; None if `on_error` does not name it.

    An error is of a type as `except` sees it. Of a group every member must fit.
    """
    if error is None:
        return None
    for kind, directive in on_error:
        if is_wholly(error, kind):
            return directive
    return None


def judge_end(
    restart: RestartType, reason: ExitReason, on_error: OnError = ()
) -> Verdict:
    """Decide what follows when a child ended that was running and was not asked to end."""
    directive = None
    if on_error and reason.kind in (ExitKind.CRASH, ExitKind.UNHEALTHY):
        directive = directive_for(on_error, reason.error)
    if directive is None:
        return RESTARTS[restart, reason.kind in EXPECTED]
    match directive:
        case Directive.RESTART:
            return Verdict.RESTART
        case Directive.ESCALATE:
            return Verdict.ESCALATE
        case Directive.STOP:
            is_temporary = restart is RestartType.TEMPORARY
            return Verdict.FORGET if is_temporary else Verdict.KEEP_STOPPED
        case Directive.RESUME:  # an end cannot be taken back
            return RESTARTS[restart, reason.kind in EXPECTED]


class Restartable(Protocol):
    """What a plan needs to know of a child's specification."""

    @property
    def restart(self) -> RestartType: ...


class Sibling(Protocol):
    """What a plan needs to know of a place among the children of a supervisor."""

    @property
    def spec(self) -> Restartable: ...

    @property
    def is_occupied(self) -> bool:
        """There is a child, starting, running or stopping."""
        ...


_S = TypeVar("_S", bound=Sibling)


@final
@attrs.frozen
class Attempt(Generic[_S]):
    """One restart: who stops for it, and who starts, each in this order."""

    window: RestartWindow
    """The restarts counted with this one; if they exceed the intensity, the supervisor
    gives up, and no child stops or starts for this attempt."""
    stop: tuple[_S, ...] = ()
    start: tuple[_S, ...] = ()

    @property
    def gives_up(self) -> bool:
        """Whether this is one restart too many."""
        return self.window.is_exceeded


def plan_attempt(
    strategy: Strategy, siblings: Iterable[_S], offender: _S, window: RestartWindow
) -> Attempt[_S]:
    """Plan a restart that was counted in `window` already.

    Args:
        strategy: who shares the restart.
        siblings: all children's places, in start order.
        offender: the one that ended, or whose start failed.
        window: the restarts of the supervisor, this one included.
    """
    if window.is_exceeded:
        return Attempt(window)
    if strategy is Strategy.ONE_FOR_ONE:
        return Attempt(window, (), (offender,))
    group = sharing(strategy, siblings, offender)
    leaving = (m for m in reversed(group) if m is not offender)
    stop = tuple(m for m in leaving if m.is_occupied or _is_temporary(m))
    start = tuple(m for m in group if m is offender or not _is_temporary(m))
    return Attempt(window, stop, start)


def _is_temporary(sibling: Sibling) -> bool:
    return sibling.spec.restart is RestartType.TEMPORARY


def sharing(strategy: Strategy, siblings: Iterable[_S], offender: _S) -> tuple[_S, ...]:
    """Return those that share a child's restart, itself included, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (offender,)
        case Strategy.ONE_FOR_ALL:
            return tuple(siblings)
        case Strategy.REST_FOR_ONE:
            everybody = tuple(siblings)
            return everybody[everybody.index(offender) :]


def ends_supervisor(
    mode: AutoShutdown, *, significant: bool, others_active: Iterable[bool]
) -> bool:
    """Say whether a child that ended by itself, for good, ends its supervisor.

    Args:
        mode: the supervisor's rule.
        significant: whether that child is significant.
        others_active: for each other significant child, whether it runs or is being
            restarted; read only if it matters.
    """
    match mode:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return significant
        case AutoShutdown.ALL_SIGNIFICANT:
            return significant and not any(others_active)
