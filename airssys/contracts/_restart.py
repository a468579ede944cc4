"""When a child is started again, how often, and how it is stopped."""

from __future__ import annotations

import enum
from typing import Final, final

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
    """Which siblings share a child's restart."""

    ONE_FOR_ONE = "one_for_one"


class BrutalKill(enum.Enum):
    """The type of `BRUTAL_KILL`: do not ask the child, cancel it at once."""

    BRUTAL_KILL = "brutal_kill"


BRUTAL_KILL: Final = BrutalKill.BRUTAL_KILL

DEFAULT_RESTARTS: Final = 3
DEFAULT_PERIOD: Final = 60.0
DEFAULT_SHUTDOWN: Final = 5.0
DEFAULT_START_TIMEOUT: Final = 10.0


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
