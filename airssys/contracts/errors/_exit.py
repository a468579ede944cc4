"""How an actor ended."""

from __future__ import annotations

import enum
from typing import Any, Final, Self, final

import attrs

from airssys.contracts.texts import one_line
from airssys.contracts.values import ComponentId, shown

from ._base import Fault, fault_of, portable


class ExitKind(enum.Enum):
    """The words of OTP for the end of a process.

    NORMAL: it returned. SHUTDOWN: it was asked to stop, or its supervisor gave up.
    CRASH: an error or a trap. KILLED: it did not stop in time and was cancelled.
    REFUSED: it could not be started for want of capacity; nobody failed.
    IGNORED: when it was started, it chose not to run; nobody failed.
    UNHEALTHY: too many probes of its health failed, and it was ended for that.
    """

    NORMAL = "normal"
    SHUTDOWN = "shutdown"
    CRASH = "crash"
    KILLED = "killed"
    REFUSED = "refused"
    IGNORED = "ignored"
    UNHEALTHY = "unhealthy"


_FAILURES: Final = (ExitKind.CRASH, ExitKind.REFUSED, ExitKind.UNHEALTHY)


@final
@attrs.frozen
class ExitReason:
    """How an actor ended, and by what."""

    kind: ExitKind
    error: BaseException | None = attrs.field(default=None, eq=False, repr=shown)
    """What it raised, for CRASH, REFUSED and UNHEALTHY."""
    detail: str = ""
    """One line for people."""

    @property
    def fault(self) -> Fault | None:
        """Whose fault it was; None: nobody's.

        Never a sender's: that an asker waits no longer ends no actor. An error that
        another one caused is the actor's own, which did not handle it.
        """
        if self.kind not in _FAILURES:
            return None
        if self.kind is ExitKind.REFUSED:
            return Fault.MACHINE
        fault = fault_of(self.error)
        return Fault.ACTOR if fault in {None, Fault.SENDER} else fault

    def __reduce__(self) -> tuple[Any, ...]:
        # An error that cannot be pickled stays behind; `detail` has said what it was.
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
    """What one who watches an actor is told, once."""

    actor: ComponentId
    reason: ExitReason | None
    """How it ended; None if nobody of that name is there, or will be."""
    restarting: bool = attrs.field(kw_only=True)
    """Its supervisor is about to start it again."""
