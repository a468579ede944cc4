"""What happens in a system, as values that anyone may observe."""

from __future__ import annotations

import enum
import warnings
from typing import TYPE_CHECKING, Final, TypeAlias, final

import attrs

from airssys.contracts.errors import ExitReason, IntensityExceeded
from airssys.contracts.specs import ChildSpec
from airssys.contracts.values import (
    Access,
    ComponentId,
    HealthStatus,
    LogLevel,
    TraceContext,
    identity_of_child,
    shown,
)

if TYPE_CHECKING:
    from airssys.contracts.values import Envelope


class ChildEvent:
    """What happens to a child: an actor or a supervisor. Its kinds are below."""

    __slots__ = ()
    supervisor: str
    child: str

    @property
    def actor(self) -> ComponentId | None:
        """The identity of the child; None for a supervisor."""
        return identity_of_child(self.child)


@final
@attrs.frozen
class ChildStarted(ChildEvent):
    """A child is ready: initialised, with its mailbox open."""

    supervisor: str
    """Path of the supervisor, e.g. `root/workers`."""
    child: str
    """Its name among its siblings: an identity, or a supervisor's name."""
    restarts: int
    """How often it was restarted before."""


class Problem(enum.Enum):
    """What is wrong with how a child ended (the contexts of OTP's error reports)."""

    CHILD_TERMINATED = "child_terminated"
    """It ended by itself, which its restart type does not expect."""
    SHUTDOWN_ERROR = "shutdown_error"
    """It was being stopped, and did not end in the way that stopping should cause."""


@final
@attrs.frozen
class ChildExited(ChildEvent):
    """A child ended, for any reason."""

    supervisor: str
    child: str
    reason: ExitReason
    asked: bool
    """Its supervisor had asked it to stop."""
    restarting: bool
    """Its supervisor is about to restart it."""
    problem: Problem | None = None
    """None if it ended as expected."""
    spec: ChildSpec | None = attrs.field(
        default=None, eq=False, repr=False, kw_only=True
    )
    """The specification it was started from; None if it is not known."""
    restarts: int = attrs.field(default=0, eq=False, kw_only=True)
    """How often it had become ready again until then."""
    trace: TraceContext | None = attrs.field(
        default=None, eq=False, repr=False, kw_only=True
    )
    """The trace of the message that was in progress; None if there was none."""


@final
@attrs.frozen
class ChildStartFailed(ChildEvent):
    """A child did not become ready."""

    supervisor: str
    child: str
    reason: ExitReason
    restarting: bool = False
    """Its supervisor is about to start it again."""
    spec: ChildSpec | None = attrs.field(
        default=None, eq=False, repr=False, kw_only=True
    )
    """The specification it was started from; None if it is not known."""
    restarts: int = attrs.field(default=0, eq=False, kw_only=True)
    """How often it had become ready again until then."""


@final
@attrs.frozen
class ChildUnstopped(ChildEvent):
    """A child did not end within its shutdown time, although it was cancelled."""

    supervisor: str
    child: str
    waited: float
    """Seconds since it was asked to stop, or cancelled."""


@final
@attrs.frozen
class SupervisorGaveUp:
    """A supervisor used up its restarts and stops."""

    supervisor: str
    exceeded: IntensityExceeded
    """Which child needed one restart too many, how it ended, and the count."""
    spec: ChildSpec | None = attrs.field(
        default=None, eq=False, repr=False, kw_only=True
    )
    """The specification that child was started from; None if it is not known."""

    @property
    def offence(self) -> IntensityExceeded:
        """The former name of `exceeded`; reading it warns."""
        msg = "`SupervisorGaveUp.offence` was renamed to `exceeded`"
        msg = f"{msg}; the next version removes `offence`"
        warnings.warn(msg, DeprecationWarning, stacklevel=2)
        return self.exceeded


@final
@attrs.frozen
class Logged:
    """A component logged a line through host-services."""

    source: ComponentId
    level: LogLevel
    message: str
    context: tuple[tuple[str, str], ...]


class DeadReason(enum.Enum):
    """Why a message will not be handled."""

    STOPPED = "stopped"
    """Its actor ended, or was never going to accept it."""
    CRASHED = "crashed"
    """Its actor crashed while handling it."""
    EXPIRED = "expired"
    """Its deadline had passed before it was taken."""
    CANCELLED = "cancelled"
    """Its asker had stopped waiting before it was taken."""
    NO_ROOM = "no-room"
    """The mailbox was full, and its policy is `Overflow.DEAD_LETTER`."""
    QUARANTINED = "quarantined"
    """Its actor crashed while handling it; it is kept in `System.quarantine`."""
    LATE_ANSWER = "late-answer"
    """It is an answer whose asker had stopped waiting."""


_MOST_WHY: Final = 1000


def _shortened(why: str) -> str:
    """Keep a thousand characters of a text, because many dead letters are kept."""
    return why if len(why) <= _MOST_WHY else f"{why[: _MOST_WHY - 1]}…"


@final
@attrs.frozen
class DeadLetter:
    """A message that will not be handled."""

    target: ComponentId
    sender: ComponentId
    size: int
    """Bytes of payload."""
    why: str = attrs.field(converter=_shortened)
    """One line for people; if it is long, only its beginning."""
    reason: DeadReason = DeadReason.STOPPED
    payload: bytes = attrs.field(default=b"", eq=False, repr=False)
    """Set in `System.dead_letters`; the stream of all events does not keep it."""
    content_type: str | None = attrs.field(default=None, eq=False, repr=False)
    trace: TraceContext | None = attrs.field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, envelope: Envelope, why: str, reason: DeadReason) -> DeadLetter:
        """Make a dead letter from a message."""
        return cls(
            envelope.target,
            envelope.sender,
            len(envelope.payload),
            why,
            reason,
            envelope.payload,
            envelope.content_type,
            envelope.trace,
        )


@final
@attrs.frozen
class MessageFailed:
    """An actor answered a message with an error and still runs."""

    actor: ComponentId
    sender: ComponentId
    error: Exception = attrs.field(eq=False, repr=shown)
    trace: TraceContext | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen
class HandlerHeldThread:
    """A Python handler blocked the Trio thread; nothing else could run."""

    actor: ComponentId
    handler: str
    """What blocked it, e.g. `Counter.handle`."""
    seconds: float
    """For how long, but for the time in which the handler was ready to run and the machine
    ran something else (Linux counts that; elsewhere it is included)."""
    where: str = ""
    """Where it was seen meanwhile, e.g. `/srv/shop.py:12 in handle`, and where in what it had
    called. Empty if it was not seen: the stack is read about once per limit."""


@final
@attrs.frozen
class HookFailed:
    """A hook of an actor raised, or was cancelled; the actor continues regardless."""

    actor: ComponentId
    hook: str
    """`before_restart` or `stopped` of a Python actor; or `import-state` of a component
    that is replaced because a call was dropped, which then continues without its
    state."""
    error: Exception = attrs.field(eq=False, repr=shown)
    """`TimeoutError` if it was cancelled."""


@final
@attrs.frozen
class SnapshotFailed:
    """A snapshot of a component was to be used or taken; the actor does without it."""

    actor: ComponentId
    use: str
    """`start`: it is instantiated and initialised instead. `restart`: it begins without
    its last checkpoint. `checkpoint`: none is taken; it is tried again when the next one
    is due. `replace`: the new code begins without the state of the old one."""
    error: Exception = attrs.field(eq=False, repr=shown)


@final
@attrs.frozen
class HealthChanged:
    """An actor with health probes reports another health than before."""

    actor: ComponentId
    status: HealthStatus
    """UNKNOWN also for a fresh incarnation, and for one that did not answer in time."""
    before: HealthStatus


@final
@attrs.frozen
class ListenerStalled:
    """A subscription with the lag policy BLOCK took no message within its patience.

    Publishers no longer wait for it. Until it takes a message, it loses those for which
    it has no room.
    """

    listener: str
    """Its patterns, and the file and line that created it."""
    topic: str
    """Of the message for which it had no room."""
    waited: float
    """Seconds."""


@final
@attrs.frozen
class AccessDenied:
    """An actor wanted to do something that it is not granted; nothing was done."""

    actor: ComponentId
    access: Access
    why: str
    """One line for people."""
    on_behalf_of: ComponentId | None = None
    """The sender of the message that it was handling."""
    times: int = attrs.field(default=1, eq=False)
    """How often the same was denied; only the first time is a warning in the log."""
    trace: TraceContext | None = attrs.field(default=None, eq=False, repr=False)


@final
@attrs.frozen
class QuotaReached:
    """An actor, or all below a supervisor, used a large share of a quota, or all of it.

    Once for each share on the way up: 80 %, 95 %, and 100 % when there was no room for
    what was wanted. It is reported again only after less than half was in use.
    """

    account: str
    """The name of the actor, or the path of the supervisor."""
    quota: str
    """E.g. `messages_per_second`."""
    share: float
    """0.8, 0.95 or 1."""
    limit: float
    """How much may be in use; of a rate, its burst."""
    actor: ComponentId
    """The actor that came to it."""


@final
@attrs.frozen
class GrantsChanged:
    """What an actor may do was changed while the system runs."""

    actor: ComponentId
    change: str
    """What was done, for people: `revoked messaging send shop/*`."""
    cancelled: int = 0
    """What was in progress and is not allowed any more."""


Event: TypeAlias = (
    ChildStarted
    | ChildExited
    | ChildStartFailed
    | ChildUnstopped
    | SupervisorGaveUp
    | Logged
    | DeadLetter
    | MessageFailed
    | HandlerHeldThread
    | HookFailed
    | SnapshotFailed
    | HealthChanged
    | ListenerStalled
    | AccessDenied
    | QuotaReached
    | GrantsChanged
)
