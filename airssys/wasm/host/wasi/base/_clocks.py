"""The monotonic clock of one instance: Trio's, or a coarse one, or one of its own.

An instance that may not measure time has a clock of its own, which moves by what it
sleeps, and by nothing else. So its loops that wait for a time end, and it finds out
nothing that it does not know.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import trio

if TYPE_CHECKING:
    from collections.abc import Callable

NANO: Final = 1_000_000_000
_LAST: Final = 2**64 - 1


@final
class MonotonicClock:
    """Nanoseconds, as the guest is shown them, and seconds, as Trio has them."""

    def __init__(self, finest: Callable[[], float]) -> None:
        self._finest = finest
        self._shown = 0
        """The latest time that the guest has been shown, or has slept until."""

    @property
    def resolution(self) -> float:
        """Seconds; 0 is as exact as Trio's clock is, infinity is none."""
        return self._finest()

    def now(self) -> int:
        """Return the time that the guest is shown; it never goes back."""
        resolution = self.resolution
        if resolution < math.inf:
            now = int(trio.current_time() * NANO)
            self.note(now - now % _step(resolution))
        return self._shown

    def note(self, shown: int) -> None:
        """Note that a time has come that the guest knows."""
        self._shown = max(self._shown, min(shown, _LAST))

    def after(self, nanoseconds: int) -> tuple[int, float]:
        """Return a time from now on, as the guest will see it and as Trio has it."""
        return self.now() + nanoseconds, trio.current_time() + nanoseconds / NANO

    def at(self, shown: int) -> tuple[int, float]:
        """Return a time that the guest has named, as it is and as Trio has it."""
        resolution = self.resolution
        if resolution == math.inf:
            left = max(0, shown - self._shown)
            return shown, trio.current_time() + left / NANO
        step = _step(resolution)
        return shown, -(-shown // step) * step / NANO


def _step(resolution: float) -> int:
    return max(1, round(resolution * NANO))
