"""What can go wrong, named by whose fault it is.

* `DefinitionError`, `ComponentRefused`: what was handed in is wrong; mend it.
* `GuestFailed` and its kin: the guest did wrong; its supervisor deals with it.
* `MessagingError` and its kin: the message did not get through; its sender is told.
* `CapacityReached`: the machine has no more to give; nothing crashed.
* `EngineMisused`: the program broke a rule of the engine and was stopped in time.
* `NameTaken`: two actors cannot have one name.
* `StartFailed`: a child never became ready, so the system did not open.
* `SystemGaveUp`: the root supervisor ran out of restarts.

Fields carry the data; messages are for people and say what to do.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._exit import ExitReason
    from ._identity import ComponentId


class AirssysError(Exception):
    """Everything that airssys raises on purpose."""


@final
@attrs.frozen
class Mistake:
    """One thing wrong with a definition."""

    path: str
    """Where in the tree, e.g. `$.children[2].limits`."""
    found: str
    """What stands there and why that cannot be."""
    hint: str = ""
    """What to write instead."""

    def __str__(self) -> str:
        return f"{self.found} @ {self.path}" + (f" ({self.hint})" if self.hint else "")


class DefinitionError(AirssysError):
    """A blueprint is wrong; `mistakes` holds all that is, not only the first."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {mistake}" for mistake in self.mistakes)
        return f"{len(self.mistakes)} mistake(s) in the definition:\n{lines}"


class ComponentRefused(AirssysError):
    """A component cannot be run here; found while loading it, before it ran."""

    def __init__(self, artifact: str, problem: str, advice: str) -> None:
        self.artifact, self.problem, self.advice = artifact, problem, advice
        super().__init__(artifact, problem, advice)

    def __str__(self) -> str:
        return f"{self.artifact}: {self.problem}. {self.advice}"


class EngineMisused(AirssysError):
    """A call that would break the engine was refused before it reached it."""


class CapacityReached(AirssysError):
    """The machine or the kernel has no more to give; nothing was started."""


class TrapReason(enum.Enum):
    """Why a guest was stopped. After any of them its instance is spent."""

    UNREACHABLE = "unreachable"
    MEMORY_OUT_OF_BOUNDS = "memory out of bounds"
    TABLE_OUT_OF_BOUNDS = "table out of bounds"
    NULL_INDIRECT_CALL = "null indirect call"
    MISTYPED_INDIRECT_CALL = "mistyped indirect call"
    INTEGER_OVERFLOW = "integer overflow"
    DIVISION_BY_ZERO = "division by zero"
    BAD_CONVERSION = "bad conversion"
    STACK_EXHAUSTED = "stack exhausted"
    FUEL_EXHAUSTED = "fuel exhausted"
    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    TABLE_LIMIT = "table limit"
    HOST_ALLOCATION_LIMIT = "host allocation limit"
    BAD_VALUE = "bad canonical-ABI value"
    HOST_ERROR = "host error"
    CANCELLED = "cancelled"
    OTHER = "other"


class GuestFailed(AirssysError):
    """A guest did not do what it was asked to."""


@final
class GuestTrapped(GuestFailed):
    """A guest was stopped in the middle of a call; its instance is spent."""

    def __init__(self, reason: TrapReason, phase: str, text: str) -> None:
        self.reason, self.phase, self.text = reason, phase, text
        super().__init__(reason, phase, text)

    def __str__(self) -> str:
        first_line = self.text.strip().partition("\n")[0]
        return f"guest stopped in {self.phase}: {self.reason.value} ({first_line})"


@final
class GuestRejected(GuestFailed):
    """A guest answered with a typed error of its own; its instance lives on."""

    def __init__(self, phase: str, case: str, detail: str | None) -> None:
        self.phase, self.case, self.detail = phase, case, detail
        super().__init__(phase, case, detail)

    def __str__(self) -> str:
        detail = f": {self.detail}" if self.detail else ""
        return f"guest answered {self.phase} with {self.case}{detail}"


@final
class GuestSpent(GuestFailed):
    """A spent instance was called; start a fresh one."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)

    def __str__(self) -> str:
        return f"this instance is spent ({self.why}) and must be replaced"


class MessagingError(AirssysError):
    """A message did not get through; `case` is the WIT case its sender sees."""

    case: ClassVar[str] = "delivery-failed"


class DeliveryFailed(MessagingError):
    """The message could not be handled."""


class NotGranted(MessagingError):
    """The actor does not hold what the call needs."""


class InvalidMessage(MessagingError):
    """The message itself is wrong."""

    case = "invalid-message"


@final
class MailboxFull(MessagingError):
    """The target's mailbox is full and the sender does not want to wait."""

    case = "queue-full"

    def __init__(self, target: ComponentId, capacity: int) -> None:
        self.target, self.capacity = target, capacity
        super().__init__(target, capacity)

    def __str__(self) -> str:
        return f"the mailbox of {self.target} is full ({self.capacity} messages)"


@final
class TargetNotFound(MessagingError):
    """Nobody of that name is registered."""

    case = "target-not-found"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        return f"no actor is called {self.target}"


@final
class AskTimedOut(MessagingError):
    """No answer came in time; one that comes later is a dead letter."""

    case = "correlation-timeout"

    def __init__(self, target: ComponentId, correlation_id: str, waited: float) -> None:
        self.target, self.correlation_id, self.waited = target, correlation_id, waited
        super().__init__(target, correlation_id, waited)

    def __str__(self) -> str:
        return f"{self.target} did not answer within {self.waited:g} s"


class StorageRefused(AirssysError):
    """A storage call was refused; `case` is the WIT case that the guest sees."""

    def __init__(self, case: str, detail: str | None = None) -> None:
        self.case, self.detail = case, detail
        super().__init__(case, detail)

    def __str__(self) -> str:
        return self.case + (f": {self.detail}" if self.detail else "")


@final
class RequestWouldDeadlock(MessagingError):
    """The target already waits, through some steps, for the one that asks."""

    def __init__(self, path: Sequence[ComponentId]) -> None:
        self.path = tuple(path)
        super().__init__(self.path)

    def __str__(self) -> str:
        return "would wait for itself: " + " -> ".join(map(str, self.path))


@final
class CalleeFailed(MessagingError):
    """The actor that was asked crashed, was stopped or answered with an error."""

    def __init__(self, target: ComponentId, why: str) -> None:
        self.target, self.why = target, why
        super().__init__(target, why)

    def __str__(self) -> str:
        return f"{self.target} did not answer: {self.why}"


@final
class NameTaken(AirssysError):
    """An actor was started under a name that another one has; it did not run."""

    def __init__(self, name: ComponentId) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"another actor is called {self.name}: stop it, or choose another name"


@final
class StartFailed(AirssysError):
    """A child did not become ready, so its supervisor did not start either.

    `reason.error` is what the child raised. Out of `open_system`, it is also the cause.
    """

    def __init__(self, supervisor: str, child: str, reason: ExitReason) -> None:
        self.supervisor, self.child, self.reason = supervisor, child, reason
        super().__init__(supervisor, child, reason)

    def __str__(self) -> str:
        return f"{self.supervisor}: {self.child} did not start: {self.reason}"


@final
@attrs.frozen
class Offence:
    """One supervisor giving up, and the child that was one failure too many."""

    supervisor: str
    """Path of the supervisor, e.g. `root/workers`."""
    child: str
    restarts: int
    """Restarts within the period, this last one included."""
    period: float
    """Seconds."""
    reason: str
    """How the child ended the last time."""


@final
class SystemGaveUp(AirssysError):
    """The root supervisor gave up; `chain` leads from the first offender to it."""

    def __init__(self, chain: Sequence[Offence]) -> None:
        self.chain = tuple(chain)
        super().__init__(self.chain)

    def __str__(self) -> str:
        lines = "\n".join(
            f"  {o.supervisor}: {o.child} failed, restart {o.restarts} within "
            f"{o.period:g} s ({o.reason})"
            for o in self.chain
        )
        return f"the system gave up:\n{lines}"
