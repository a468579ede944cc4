"""What can go wrong, named by whose fault it is; each class says it in `fault`.

* the definition's: `DefinitionError`, `ComponentRefused`; mend it.
* the guest's: `GuestFailed` and its kin; its supervisor deals with it.
* the sender's, an actor's: `MessagingError` and its kin; the sender is told.
* an actor's: `StartFailed`, `SystemGaveUp`; the system did not open, or ended.
  `Unhealthy`; its supervisor deals with it.
* the machine's: `CapacityReached`; it has no more to give, and nothing crashed.
* the embedding program's: `EngineMisused`, `NameTaken`; it was stopped in time.
* ours: `InternalError`; report it.

Fields carry the data; messages are for people and say what to do.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar, Final, final

import attrs

from airssys.contracts.texts import one_line
from airssys.contracts.values import identity_of_child

from ._base import AirssysError, Fault, fault_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts.values import ComponentId, HealthStatus

    from ._exit import ExitReason


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
    file: str | None = None
    """The file that it stands in, if that is known; then `line` is known too."""
    line: int | None = None

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:{self.line}: "
        hint = f" ({self.hint})" if self.hint else ""
        return one_line(f"{place}{self.found} @ {self.path}{hint}")


class DefinitionError(AirssysError):
    """A blueprint is wrong; `mistakes` holds all that is, not only the first."""

    fault = Fault.DEFINITION
    advice = "Mend the definition in these places; nothing was started"

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(self.mistakes)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {mistake}" for mistake in self.mistakes)
        count = len(self.mistakes)
        return f"{count} mistake(s) in the definition. {self.advice}:\n{lines}"


class ComponentRefused(AirssysError):
    """A component cannot be run here; found while loading it, before it ran."""

    fault = Fault.DEFINITION

    def __init__(self, artifact: str, problem: str, advice: str) -> None:
        self.artifact, self.problem, self.advice = artifact, problem, advice
        super().__init__(artifact, problem, advice)

    def __str__(self) -> str:
        return self._with_advice(f"{self.artifact}: {self.problem}")


class EngineMisused(AirssysError):
    """A call that would break the engine was refused before it reached it."""

    fault = Fault.PROGRAM
    advice = "Use a guest from one task, one call at a time, before it is closed"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class CapacityReached(AirssysError):
    """The machine or the kernel has no more to give; nothing was started."""

    fault = Fault.MACHINE

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem, self.advice = problem, advice
        """`problem` names the limit, and may say itself what to do."""
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class MessagingError(AirssysError):
    """A message did not get through; `case` is the WIT case its sender sees."""

    fault = Fault.SENDER
    case: ClassVar[str] = "delivery-failed"


class DeliveryFailed(MessagingError):
    """The message could not be handled."""

    fault = Fault.ACTOR
    advice = "Send it again if handling it twice does no harm"

    def __init__(self, problem: str, advice: str | None = None) -> None:
        self.problem = problem
        if advice is not None:
            self.advice = advice
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class NotGranted(MessagingError):
    """The actor does not hold what the call needs."""

    advice = "Do without this call"

    def __init__(self, problem: str = "the call is not granted") -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class InvalidMessage(MessagingError, ValueError):
    """The message itself is wrong: its target, its payload or its content type."""

    case = "invalid-message"
    advice = "Mend the message; the same one will be refused again"

    def __init__(self, problem: str, advice: str | None = None) -> None:
        self.problem = problem
        if advice is not None:
            self.advice = advice
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


@final
class MailboxFull(MessagingError):
    """The target's mailbox is full and the sender does not want to wait."""

    case = "queue-full"
    advice = "Wait for room with send or ask, or give it a larger mailbox"

    def __init__(
        self, target: ComponentId, capacity: int, most_bytes: int | None = None
    ) -> None:
        self.target, self.capacity = target, capacity
        self.most_bytes = most_bytes
        """Set if there was room for another message, but not for its bytes."""
        super().__init__(target, capacity, most_bytes)

    def __str__(self) -> str:
        most = f"{self.capacity} messages"
        if self.most_bytes is not None:
            most = f"{self.most_bytes} bytes, mailbox_bytes"
        text = f"the mailbox of {self.target} is full ({most})"
        return self._with_advice(text)


@final
class TargetNotFound(MessagingError):
    """Nobody of that name is registered."""

    case = "target-not-found"
    advice = "Mind the spelling; it may also not be ready yet, or have ended for good"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        return self._with_advice(f"no actor is called {self.target}")


@final
class AskTimedOut(MessagingError):
    """No answer came in time; one that comes later is a dead letter."""

    fault = Fault.ACTOR
    case = "correlation-timeout"
    advice = "Ask with a longer timeout, or find out what keeps it busy"

    def __init__(self, target: ComponentId, correlation_id: str, waited: float) -> None:
        self.target, self.correlation_id, self.waited = target, correlation_id, waited
        super().__init__(target, correlation_id, waited)

    def __str__(self) -> str:
        text = f"{self.target} did not answer within {self.waited:g} s"
        return self._with_advice(text)


_STORAGE_ADVICE: Final = {
    "not-found": "Look with `exists` first, or take it as deleted",
    "already-exists": "Choose another key, or replace the value",
    "quota-exceeded": "Delete something, or raise the storage limits in Limits",
    "invalid-key": "Use 1 to 512 bytes of printable text",
    "io-error": "Look into the host's log",
}


class StorageRefused(AirssysError):
    """A storage call was refused; `case` is the WIT case that the guest sees."""

    fault = Fault.GUEST

    def __init__(self, case: str, detail: str | None = None) -> None:
        self.case, self.detail = case, detail
        self.advice = _STORAGE_ADVICE.get(case, "")
        super().__init__(case, detail)

    def __str__(self) -> str:
        text = self.case + (f": {self.detail}" if self.detail else "")
        return self._with_advice(text)


_ENDS_NAMED: Final = 10
"""Of a long path, so many names of its beginning and of its end are in the text."""


@final
class RequestWouldDeadlock(MessagingError):
    """The target already waits, through some steps, for the one that asks."""

    advice = "Use tell on one of these steps, or answer before asking"

    def __init__(self, path: Sequence[ComponentId]) -> None:
        self.path = tuple(path)
        super().__init__(self.path)

    def __str__(self) -> str:
        names = list(map(str, self.path[:_ENDS_NAMED]))
        if (left_out := len(self.path) - 2 * _ENDS_NAMED) > 0:
            names.append(f"({left_out} more)")
        names += map(str, self.path[_ENDS_NAMED:][-_ENDS_NAMED:])
        path = " -> ".join(names)
        return self._with_advice(f"would wait for itself: {path}")


class NoAnswer(enum.Enum):
    """Why an actor that has, or had, a message does not answer it."""

    REFUSED = "refused"
    """It answered with an error, and lives on."""
    CRASHED = "crashed"
    """It crashed with the message in hand."""
    STOPPED = "stopped"
    """It was stopped, or killed, before it had handled the message."""


@final
class CalleeFailed(MessagingError):
    """The actor that was asked crashed, was stopped or answered with an error.

    `fault` is that of `error`, if it is one of ours: the guest's, the sender's whose
    message it did not understand, the machine's. Otherwise it is the actor's.
    """

    fault = Fault.ACTOR

    def __init__(
        self,
        target: ComponentId,
        why: str,
        reason: NoAnswer = NoAnswer.STOPPED,
        error: BaseException | None = None,
    ) -> None:
        self.target, self.why, self.reason = target, why, reason
        self.error = error
        """What it answered (e.g. `GuestRejected`) or crashed by; None if stopped."""
        self.advice = _NO_ANSWER_ADVICE[reason]
        self.fault = fault_of(error) or Fault.ACTOR
        super().__init__(target, why, reason, error)

    def __str__(self) -> str:
        text = f"{self.target} did not answer, it {self.reason.value}: {self.why}"
        return self._with_advice(text)


_NO_ANSWER_ADVICE: Final = {
    NoAnswer.REFUSED: "Ask for something that it can do",
    NoAnswer.CRASHED: "Do not repeat what may crash it again",
    NoAnswer.STOPPED: "Ask again when it runs again, if it does",
}


@final
class NameTaken(AirssysError):
    """An actor was started under a name that another one has; it did not run."""

    fault = Fault.PROGRAM
    advice = "Stop the other one, or choose another name"

    def __init__(self, name: ComponentId) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return self._with_advice(f"another actor is called {self.name}")


@final
class StartFailed(AirssysError):
    """A child did not become ready, so its supervisor did not start either.

    `reason.error` is what the child raised. Out of `open_system`, it is also the cause.
    """

    fault = Fault.ACTOR
    advice = "Mend what it raised; everything that had started was stopped"

    def __init__(self, supervisor: str, child: str, reason: ExitReason) -> None:
        self.supervisor, self.child, self.reason = supervisor, child, reason
        super().__init__(supervisor, child, reason)

    @property
    def actor(self) -> ComponentId | None:
        """The identity of the child; None for a supervisor."""
        return identity_of_child(self.child)

    def __str__(self) -> str:
        text = f"{self.supervisor}: {self.child} did not start: {self.reason}"
        return self._with_advice(text)


@final
class Unhealthy(AirssysError):
    """Probes of an actor's health failed too often in a row, so it was ended."""

    fault = Fault.ACTOR
    advice = "Look at what its `health` tells, or give it more time by `Health(...)`"

    def __init__(self, actor: ComponentId, failures: int, last: HealthStatus) -> None:
        self.actor, self.failures, self.last = actor, failures, last
        super().__init__(actor, failures, last)

    def __str__(self) -> str:
        text = f"{self.failures} probes of its health failed, the last: "
        is_told = self.last.value == "unhealthy"
        return self._with_advice(
            text + ("unhealthy" if is_told else "no answer in time")
        )


@final
@attrs.frozen
class IntensityExceeded:
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

    @property
    def actor(self) -> ComponentId | None:
        """The identity of the child; None for a supervisor."""
        return identity_of_child(self.child)


@final
class SystemGaveUp(AirssysError):
    """The root supervisor gave up; `chain` leads from the first offender to it."""

    fault = Fault.ACTOR
    advice = "Mend the first child named here, or allow more restarts"

    def __init__(self, chain: Sequence[IntensityExceeded]) -> None:
        self.chain = tuple(chain)
        super().__init__(self.chain)

    def __str__(self) -> str:
        lines = "\n".join(
            "  "
            + one_line(
                f"{o.supervisor}: {o.child} failed, restart {o.restarts} within "
                f"{o.period:g} s ({o.reason})"
            )
            for o in self.chain
        )
        return f"the system gave up:\n{lines}\n{self.advice}"
