"""How an actor ended."""

from __future__ import annotations

import enum
from typing import Any, Final, Self, final

import attrs

from airssys.contracts.texts import one_line
from airssys.contracts.values import ComponentId, shown

from ._base import Fault, fault_of, portable


class ExitKind(enum.Enum):
    """How a process ended, in OTP's words.

    NORMAL: it returned. SHUTDOWN: it was asked to stop, or its supervisor gave up.
    CRASH: an error or a trap. KILLED: it did not stop in time and was cancelled.
    REFUSED: there were not enough resources to start it; nothing failed.
    IGNORED: it chose not to run when it was started; nothing failed.
    UNHEALTHY: too many health probes failed, and it was ended because of that.
    """

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    CRASH = "crash"
    KILLED = "killed"
    REFUSED = "refused"
    IGNORED = "ignored"
    UNHEALTHY = "unhealthy"

    # That of `Enum` is Python code, and each end looks it up.
    __hash__ = object.__hash__


_FAILURES: Final = (ExitKind.CRASH, ExitKind.REFUSED, ExitKind.UNHEALTHY)


@final
@attrs.frozen
class ExitReason:
    """How and why an actor ended."""

    kind: ExitKind
    error: BaseException | None = attrs.field(default=None, eq=False, repr=shown)
    """What it raised, for CRASH, REFUSED and UNHEALTHY."""
    detail: str = ""
    """One line for people to read."""

    @property
    def fault(self) -> Fault | None:
        """Whose fault it was, if anyone's.

        It is never a sender's, because an asker that stops waiting does not end an
        actor. If an actor did not handle an error that another one caused, that is the
        actor's fault.
        """
        if self.kind not in _FAILURES:
            return None
        if self.kind is ExitKind.REFUSED:
            return Fault.MACHINE
        fault = fault_of(self.error)
        return Fault.ACTOR if fault in {None, Fault.SENDER} else fault

    def __reduce__(self) -> tuple[Any, ...]:
        # An error that cannot be pickled is left out; `detail` has its text.
        return ExitReason, (self.kind, portable(self.error), self.detail)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __str__(self) -> str:
        detail = f" ({one_line(self.detail)})" if self.detail else ""
        return self.kind.value + detail


@final
@attrs.frozen
class ActorEnded:
    """What an actor's watcher is notified of, once."""

    actor: ComponentId
    reason: ExitReason | None
    """How it ended; None if no actor has that name, or will have it."""
    restarting: bool = attrs.field(kw_only=True)
    """Its supervisor is about to restart it."""
