"""How many restarts happened lately: a sliding window over time stamps.

OTP's rules 31-33 (`add_restart` in supervisor.erl): each restart *attempt* adds a
stamp; stamps not older than the period are kept, edge included; the count is per
supervisor, not per child; spaced restarts never add up.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import final

import attrs

from airssys.contracts import Intensity


@final
@attrs.frozen
class RestartWindow:
    """The restarts that still count against one supervisor."""

    intensity: Intensity
    stamps: tuple[float, ...] = ()
    """Seconds on a clock that never goes back, oldest first. Invariant: none is more
    than a period older than the last."""

    def stamped(self, now: float) -> RestartWindow:
        """Count one more restart attempt, made now, and let go of those too old."""
        oldest = now - self.intensity.period
        kept = self.stamps[bisect_left(self.stamps, oldest) :]
        return RestartWindow(self.intensity, (*kept, now))

    def allows(self, now: float) -> bool:
        """Say whether one more restart attempt, made now, would not exceed this."""
        oldest = now - self.intensity.period
        kept = len(self.stamps) - bisect_left(self.stamps, oldest)
        return kept < self.intensity.restarts

    @property
    def count(self) -> int:
        """Restarts within the period that ends with the last one."""
        return len(self.stamps)

    @property
    def is_exceeded(self) -> bool:
        """Whether this is more than the supervisor allows."""
        return len(self.stamps) > self.intensity.restarts
