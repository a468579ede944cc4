"""The restarts of one supervisor: how long before each, how many, one too many. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import ExitKind, ExitReason, Intensity, IntensityExceeded
from airssys.nursery.restarts import (
    GaveUp,
    RestartWindow,
    exceeded_behind,
    failures_before,
    pause_before_restart,
)

if TYPE_CHECKING:
    import random

    from ._slots import Slot


@final
class RestartRecord:
    """Counts the restarts of one supervisor, and the failures of each child."""

    def __init__(self, path: str, intensity: Intensity, rng: random.Random) -> None:
        self._path, self._rng = path, rng
        self.window = RestartWindow(intensity)
        """Those that count now."""

    def change(self, intensity: Intensity) -> None:
        """Allow more or fewer from now on; what was counted stays."""
        if intensity is not self.window.intensity:
            self.window = attrs.evolve(self.window, intensity=intensity)

    def note_end(self, slot: Slot, now: float) -> None:
        """Forget a child's failures if it has run well for long enough."""
        ran_for = now - slot.ready_at
        slot.failures = failures_before(slot.spec.backoff, slot.failures, ran_for)

    def pause_before(self, slot: Slot) -> float:
        """Count one more failure of a child; return the seconds to wait after it."""
        failures = slot.failures
        slot.failures += 1
        return pause_before_restart(slot.spec.backoff, failures, self._rng)

    def allows(self, at: float) -> bool:
        """Say whether one more restart is allowed at that time; counts nothing."""
        return self.window.allows(at)

    def count(self, now: float) -> None:
        """Count a restart, before it is made."""
        self.window = self.window.stamped(now)

    def give_up(self, slot: Slot) -> GaveUp:
        """Put on record which child needed one restart too many."""
        reason = slot.last_end or ExitReason(ExitKind.CRASH)
        count, period = self.window.count, self.window.intensity.period
        exceeded = IntensityExceeded(self._path, slot.name, count, period, str(reason))
        return GaveUp((*exceeded_behind(reason), exceeded))
