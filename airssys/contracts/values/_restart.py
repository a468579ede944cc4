"""When a child is restarted, how often, and how it is stopped."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias, final

import attrs


class RestartType(enum.Enum):
    """Which exits cause a restart (OTP supervisor, "restart").

    PERMANENT: every exit. TRANSIENT: every exit but normal and shutdown.
    TEMPORARY: no exit, and the child is forgotten.
    """

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"

    # That of `Enum` is Python code, and each restart looks it up.
    __hash__ = object.__hash__


class Strategy(enum.Enum):
    """Which siblings are restarted with a child (OTP supervisor, "strategy").

    ONE_FOR_ONE: none. ONE_FOR_ALL: all. REST_FOR_ONE: those started after it.
    """

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(enum.Enum):
    """Whether a supervisor stops automatically when significant children have ended.

    NEVER. ANY_SIGNIFICANT: when one of them ended by itself for good. ALL_SIGNIFICANT:
    when the last active one did.
    """

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Directive(enum.Enum):
    """What to do about one kind of error, whatever the restart type says.

    - RESTART: start the child again.
    - RESUME: refuse the message and keep the child and its state; for Python actors only.
    - STOP: treat the child as if it had ended normally.
    - ESCALATE: the supervisor stops its children and fails with the same error.
    """

    RESTART = "restart"
    RESUME = "resume"
    STOP = "stop"
    ESCALATE = "escalate"


class Poison(enum.Enum):
    """What happens to a message that made an actor crash, and may do so again.

    - DROP: it becomes a dead letter.
    - RETRY: it is handled first after the restart, once; a second crash makes it a dead
      letter.
    - QUARANTINE: it becomes a dead letter that the system keeps, so that a person can
      inspect it and perhaps release it.

    Its asker is notified when it will not be handled any more, and not before.
    """

    DROP = "drop"
    RETRY = "retry"
    QUARANTINE = "quarantine"


class OnAbandoned(enum.Enum):
    """What happens to a component's call when its asker stops waiting.

    - CONTINUE: it continues within the component's own limits; its answer is a dead
      letter.
    - CANCEL: it is dropped, and the instance, which cannot be entered again, is replaced
      by a fresh one. This does not count as a failure, and the restart does not wait.
    """

    CONTINUE = "continue"
    CANCEL = "cancel"


class StartFrom(enum.Enum):
    """How an instance of a component begins.

    - CODE: it is instantiated and initialised.
    - SNAPSHOT: that is done once, by an instance that has no host; each instance
      continues from what that one was then.
    """

    CODE = "code"
    SNAPSHOT = "snapshot"


class RestartFrom(enum.Enum):
    """What a component that is restarted continues from.

    - START: nothing; it begins as it did first.
    - CHECKPOINT: the last checkpoint, once. If it crashes again before the next one was
      taken, it begins as it did first.
    """

    START = "start"
    CHECKPOINT = "checkpoint"


class Growth(enum.Enum):
    """How the pause before a restart grows with each failure."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class BrutalKill(enum.Enum):
    """The type of `BRUTAL_KILL`: do not ask the child to stop, cancel it at once."""

    BRUTAL_KILL = "brutal_kill"


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL

OnError: TypeAlias = tuple[tuple[type[Exception], Directive], ...]
"""Directives by error type; the first one that matches is used."""

DEFAULT_RESTARTS: Final = 3
DEFAULT_PERIOD: Final = 60.0
DEFAULT_SHUTDOWN: Final = 5.0
DEFAULT_START_TIMEOUT: Final = 10.0
DEFAULT_HOOK_TIMEOUT: Final = 5.0


@final
@attrs.frozen
class Intensity:
    """How many restarts a supervisor allows within a sliding period.

    OTP's rule: each restart gets a time stamp, stamps that are not older than `period`
    are kept, edge included, and the supervisor gives up if there are more than
    `restarts` of them. OTP's default is 1 within 5 s; ours is 3 within 60 s.
    """

    restarts: int = DEFAULT_RESTARTS
    period: float = DEFAULT_PERIOD
    """Seconds."""


@final
@attrs.frozen(kw_only=True)
class Backoff:
    """How long to wait before a failed child is restarted.

    The pause after the n-th failure in a row (0 for the first) is `first` seconds; or
    `first` times n + 1 with linear growth; or `first` times `factor` to the power of n.
    It is never longer than `cap`. With `jitter` it is a random time between 0 and that.
    """

    growth: Growth = Growth.EXPONENTIAL
    first: float = 0.1
    """Seconds; 0 for no pause."""
    factor: float = 1.5
    """For exponential growth, 1 or more."""
    cap: float = 30.0
    """Seconds."""
    jitter: bool = False
    """Full jitter, so that children that failed together do not restart together."""
    reset_after: float = 60.0
    """Seconds that a child must run until its failures are forgotten."""


@final
@attrs.frozen(kw_only=True)
class CheckpointEvery:
    """When a checkpoint of a component is due, if it has handled a message since.

    It is due as soon as one of the two is reached, and taken at the next moment between
    two messages.
    """

    seconds: float | None = None
    """Since the last one, or since it became ready. None: however long that is."""
    messages: int | None = None
    """Handled since then. None: however many these are."""


NO_BACKOFF: Final = Backoff(growth=Growth.CONSTANT, first=0.0)
"""Restart at once, as OTP does."""
