"""What can go wrong, sorted by whose fault it is; each class has it in `fault`.

* the definition's: `DefinitionError`, `ComponentRefused`. Fix the definition.
* the guest's: `GuestFailed` and its subclasses. Its supervisor handles it.
* the sender's, or an actor's: `MessagingError` and its subclasses. The sender gets it.
* an actor's: `StartFailed`, `SystemGaveUp`: the system did not open, or ended.
  `Unhealthy`: its supervisor handles it.
* the machine's: `CapacityReached`: a resource is used up, and nothing crashed.
* the embedding program's: `EngineMisused`, `NameTaken`: refused before it did harm.
* ours: `InternalError`: report it.

Fields carry the data; messages are for people and say what to do.
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, ClassVar, Final, final

import attrs

from airssys.contracts.texts import one_line
from airssys.contracts.values import identity_of_child

from ._base import AirssysError, Fault, fault_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.contracts.values import ComponentId, HealthStatus

    from ._exit import ExitReason


@final
@attrs.frozen
class Mistake:
    """One thing wrong with a definition."""

    path: str
    """Its path in the tree, e.g. `$.children[2].limits`."""
    found: str
    """What was found there, and why that is wrong."""
    hint: str = ""
    """What to write instead."""
    file: str | None = None
    """The file that declares it, if that is known; then `line` is known too."""
    line: int | None = None
    place: str | None = attrs.field(default=None, eq=False)
    """The path by the names that were declared, e.g. `App.workers.shout.limits`."""

    def __str__(self) -> str:
        there = "" if self.file is None else f"{self.file}:{self.line}: "
        where = f" @ {self.path}" if self.place is None else f" [{self.place}]"
        hint = f" ({self.hint})" if self.hint else ""
        return one_line(f"{there}{self.found}{where}{hint}")


def lines_of_mistakes(mistakes: Iterable[Mistake]) -> list[str]:
    """Return a line for each mistake, sorted by file and line, and their number."""
    found = sorted(mistakes, key=lambda m: (m.file or "", m.line or 0))
    count = len(found)
    return [*map(str, found), f"{count} mistake{'s' * (count != 1)}"]


class DefinitionError(AirssysError):
    """A blueprint is wrong. `mistakes` holds every mistake, not only the first."""

    fault = Fault.DEFINITION
    advice = "Fix the definition in these places; nothing was started"

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
        self.where = ""
        """The declaration that names it, e.g. `app.py:7`; empty if that is not known."""
        super().__init__(artifact, problem, advice)

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return self._with_advice(f"{where}{self.artifact}: {self.problem}")


class EngineMisused(AirssysError):
    """A call that would have broken the engine was refused in time."""

    fault = Fault.PROGRAM
    advice = "Call a guest from one task, one call at a time, before it is closed"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class CapacityReached(AirssysError):
    """A resource of the machine or the kernel is used up; nothing was started."""

    fault = Fault.MACHINE

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem, self.advice = problem, advice
        """`problem` names the limit, and may itself say what to do."""
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


@final
class AuditFailed(AirssysError):
    """An audit log is not what was written, or can not be written or opened."""

    fault = Fault.MACHINE

    def __init__(self, problem: str, advice: str = "") -> None:
        self.problem, self.advice = problem, advice
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class MessagingError(AirssysError):
    """A message was not delivered or not answered; `case` is the WIT case for it."""

    fault = Fault.SENDER
    case: ClassVar[str] = "delivery-failed"


class DeliveryFailed(MessagingError):
    """The message could not be handled."""

    fault = Fault.ACTOR
    advice = "Send it again if it is safe to handle it twice"

    def __init__(self, problem: str, advice: str | None = None) -> None:
        self.problem = problem
        if advice is not None:
            self.advice = advice
        super().__init__(problem, advice)

    def __str__(self) -> str:
        return self._with_advice(self.problem)


class NotGranted(MessagingError):
    """The actor does not have the grant that the call needs."""

    advice = "Add a grant for it to can=, or do without this call"

    def __init__(self, problem: str = "the call is not granted") -> None:
        self.problem = problem
        super().__init__(problem)

    def __str__(self) -> str:
        # Guests know a refusal by this beginning, as wit/errors.wit says.
        return self._with_advice(f"not granted: {self.problem}")


class QuotaExceeded(MessagingError):
    """The actor, or a supervisor above it, has used up a quota; nothing was done."""

    advice = "Use less of it, or raise the quota with quotas="

    def __init__(
        self, account: str, quota: str, wanted: int, limit: float, wait: float
    ) -> None:
        self.account = account
        """The actor or the path of the supervisor whose quota it is."""
        self.quota, self.wanted, self.limit = quota, wanted, limit
        self.wait = wait
        """Seconds until there is room by itself; inf if that is not known."""
        super().__init__(account, quota, wanted, limit, wait)

    def __str__(self) -> str:
        # Guests know a refusal by this beginning, as wit/errors.wit says.
        later = "" if self.wait == math.inf else f"; there is room in {self.wait:.3g} s"
        return self._with_advice(
            f"quota exceeded: {self.wanted} more than {self.quota} of {self.account} "
            f"has room for, which is {self.limit:g}{later}"
        )


class StoppedByQuota(AirssysError):
    """An actor was stopped at a quota that is declared with `at_limit="end"`."""

    fault = Fault.ACTOR
    advice = "Use less of it, or raise the quota with quotas="

    def __init__(self, account: str, quota: str, limit: float) -> None:
        self.account, self.quota, self.limit = account, quota, limit
        super().__init__(account, quota, limit)

    def __str__(self) -> str:
        return self._with_advice(
            f"stopped at {self.quota} of {self.account}, which is {self.limit:g}"
        )


class InvalidMessage(MessagingError, ValueError):
    """The message itself is wrong: its target, its payload or its content type."""

    case = "invalid-message"
    advice = "Correct the message; the same one will be refused again"

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
    """No actor of that name is registered."""

    case = "target-not-found"
    advice = "Mind the spelling; it may also not be ready yet, or have ended for good"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        return self._with_advice(f"no actor is called {self.target}")


@final
class AskTimedOut(MessagingError):
    """No answer came in time. An answer that comes later becomes a dead letter."""

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
    "not-found": "Check with `exists` first, or treat it as deleted",
    "already-exists": "Choose another key, or replace the value",
    "quota-exceeded": "Delete something, or raise the storage limits in Limits",
    "invalid-key": "Use 1 to 512 bytes of printable text",
    "io-error": "See the host's log",
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
"""In a long path, this many names of its beginning and its end are shown."""


@final
class RequestWouldDeadlock(MessagingError):
    """The target already waits, perhaps through other actors, for the asker."""

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
    """It answered with an error, and still runs."""
    CRASHED = "crashed"
    """It crashed while it handled the message."""
    STOPPED = "stopped"
    """It was stopped, or killed, before it had handled the message."""


@final
class CalleeFailed(MessagingError):
    """The actor that was asked crashed, was stopped or answered with an error.

    `fault` is that of `error`, if it is one of ours: that of the guest, of the sender
    of a message it did not understand, or of the machine. Otherwise it is the actor's.
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
        """What it answered (e.g. `GuestRejected`) or crashed with; None if stopped."""
        self.advice = _NO_ANSWER_ADVICE[reason]
        self.fault = fault_of(error) or Fault.ACTOR
        super().__init__(target, why, reason, error)

    def __str__(self) -> str:
        text = f"{self.target} did not answer, it {self.reason.value}: {self.why}"
        return self._with_advice(text)


_NO_ANSWER_ADVICE: Final = {
    NoAnswer.REFUSED: "Ask for something that it can do",
    NoAnswer.CRASHED: "Do not repeat a request that may crash it again",
    NoAnswer.STOPPED: "Ask again when it runs again, if it does",
}


@final
class NameTaken(AirssysError):
    """An actor was not started because another one has its name."""

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

    `reason.error` is what the child raised. If `open_system` raises this, it is also
    the cause.
    """

    fault = Fault.ACTOR
    advice = "Fix what it raised; everything that had started was stopped"

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
    """Too many health probes of an actor failed in a row, so it was ended."""

    fault = Fault.ACTOR
    advice = "See what its `health` returns, or give it more time with `Health(...)`"

    def __init__(self, actor: ComponentId, failures: int, last: HealthStatus) -> None:
        self.actor, self.failures, self.last = actor, failures, last
        super().__init__(actor, failures, last)

    def __str__(self) -> str:
        text = f"{self.failures} health probes in a row failed, the last one: "
        is_reported = self.last.value == "unhealthy"
        return self._with_advice(
            text + ("unhealthy" if is_reported else "no answer in time")
        )


@final
@attrs.frozen
class IntensityExceeded:
    """A supervisor that gave up, and the child with one failure too many."""

    supervisor: str
    """Path of the supervisor, e.g. `root/workers`."""
    child: str
    restarts: int
    """Restarts within the period, including the last one."""
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
    advice = "Fix the first child named here, or allow more restarts"

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
