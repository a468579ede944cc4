"""What a model of supervision runs in: time, what children do, what has happened."""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias, final

import attrs

Line: TypeAlias = tuple[object, ...]
"""One event: the supervisor's path, what happened, the child, details."""

NORMAL, SHUTDOWN, CRASH, KILLED = "normal", "shutdown", "crash", "killed"
FAILS: Final = "fails"
IGNORES: Final = "ignores"


@final
@attrs.frozen
class End:
    """How a child ended."""

    kind: str
    is_plain: bool = False
    """It is OTP's `shutdown`, not `{shutdown, _}`."""


@final
@attrs.define(eq=False)
class World:
    """Time, what children do when they are started and stopped, and what happened."""

    now: float = 0.0
    outcomes: dict[str, deque[str]] = attrs.Factory(dict)
    """What the next starts of a child come to; afterwards they succeed."""
    stops_badly: frozenset[str] = frozenset()
    """Children that crash when they are asked to stop."""
    trace: list[Line] = attrs.Factory(list)

    def outcome(self, name: str) -> str | None:
        """Say what this start of a child comes to; None: it succeeds."""
        left = self.outcomes.get(name)
        return left.popleft() if left else None
