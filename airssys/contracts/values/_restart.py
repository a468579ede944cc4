"""When a child is started again, how often, and how it is stopped."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias, final

import attrs


class RestartType(enum.Enum):
    """Which exits cause a restart (OTP supervisor, "restart").

    PERMANENT: every exit. TRANSIENT: every exit but normal and shutdown.
    TEMPORARY: none, and the child is forgotten.
    """

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(enum.Enum):
    """Which siblings share a child's restart (OTP supervisor, "strategy").

    ONE_FOR_ONE: none. ONE_FOR_ALL: all. REST_FOR_ONE: those started after it.
    """

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(enum.Enum):
    """Whether a supervisor stops by itself when significant children have ended.

    NEVER. ANY_SIGNIFICANT: when one of them ended by itself for good. ALL_SIGNIFICANT:
    when the last active one did.
    """

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Directive(enum.Enum):
    """What one kind of error asks for, whatever the restart type says.

    RESTART: start the child again. RESUME: refuse the message, keep the child and its
    state; for Python actors only. STOP: let it be, like one that ended normally.
    ESCALATE: the supervisor stops its children and fails with the same error.
    """

    RESTART = "restart"
    RESUME = "resume"
    STOP = "stop"
    ESCALATE = "escalate"


class Poison(enum.Enum):
    """What becomes of the message that an actor crashed over, which may crash it again.

    DROP: it is a dead letter. RETRY: it comes again first, once; a second crash over it
    makes it a dead letter. QUARANTINE: it is a dead letter that the system keeps, for
    somebody to look at and perhaps to release.

    Who waits for an answer is told when nobody will handle it any more, and not before.
    """

    DROP = "drop"
    RETRY = "retry"
    QUARANTINE = "quarantine"


class OnAbandoned(enum.Enum):
    """What becomes of a component's call when its asker stops waiting.

    CONTINUE: it goes on under the component's own limits; its answer is a dead letter.
    CANCEL: it is dropped, and the instance, which cannot be entered again, is replaced by
    a fresh one. That is nobody's failure: it is not counted, and nothing waits for it.
    """

    CONTINUE = "continue"
    CANCEL = "cancel"


class Growth(enum.Enum):
    """How the pause before a restart grows from one failure to the next."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


class BrutalKill(enum.Enum):
    """The type of `BRUTAL_KILL`: do not ask the child, cancel it at once."""

    BRUTAL_KILL = "brutal_kill"


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL

OnError: TypeAlias = tuple[tuple[type[Exception], Directive], ...]
"""What errors ask for, by their type; the first that fits decides."""

DEFAULT_RESTARTS: Final = 3
DEFAULT_PERIOD: Final = 60.0
DEFAULT_SHUTDOWN: Final = 5.0
DEFAULT_START_TIMEOUT: Final = 10.0
DEFAULT_HOOK_TIMEOUT: Final = 5.0


@final
@attrs.frozen
class Intensity:
    """How many restarts a supervisor allows within a sliding period.

    OTP's rule: a restart is stamped, stamps not older than `period` are kept, edge
    included, and more than `restarts` of them mean giving up. OTP's default is 1
    within 5 s; ours is 3 within 60 s.
    """

    restarts: int = DEFAULT_RESTARTS
    period: float = DEFAULT_PERIOD
    """Seconds."""


@final
@attrs.frozen(kw_only=True)
class Backoff:
    """How long a child that failed waits before it is started again.

    The n-th failure in a row (0 for the first) waits `first` seconds; or `first` times
    n + 1 when it grows linearly; or `first` times `factor` to the n-th. None waits
    longer than `cap`. With `jitter` it is a random time between 0 and that.
    """

    growth: Growth = Growth.EXPONENTIAL
    first: float = 0.1
    """Seconds; 0 for no pause at all."""
    factor: float = 1.5
    """For exponential growth, 1 or more."""
    cap: float = 30.0
    """Seconds."""
    jitter: bool = False
    """Full jitter, so that children that failed together do not return together."""
    reset_after: float = 60.0
    """Seconds that a child must have run for its failures to be forgotten."""


NO_BACKOFF: Final = Backoff(growth=Growth.CONSTANT, first=0.0)
"""Start again at once, as OTP does."""
