"""Keeps the process from running into the kernel's limit on memory maps.

Each instance takes a few memory maps (with one memory five: three for that, two for the
stack that its store keeps from call to call), and the kernel allows a process only so
many (Linux: vm.max_map_count, 65,530 unless changed). At that limit not only wasmtime
fails but every allocation of the whole process. So we stop short of it. Calls of an
instance take no more maps, suspended or not: at the limit those that are there go on.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from airssys.contracts import CapacityReached

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADROOM: Final = 2_000
"""Maps left to the rest of the process: threads, allocators, libraries."""
_MOST_EACH: Final = 6
"""No instance takes more maps than this, as a rule."""
_PAUSE: Final = 0.1
"""Seconds between two counts at the limit: one takes up to 30 ms."""
_LIMIT: Final = Path("/proc/sys/vm/max_map_count")
_MAPS: Final = Path("/proc/self/maps")


def kernel_limit() -> int | None:
    """How many maps a process may have, or None where no such limit is known."""
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return None


def count_maps() -> int:
    """How many maps this process has; takes up to 30 ms when they are many."""
    with _MAPS.open("rb") as file:
        return sum(
            chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 16), b"")
        )


@final
class MapBudget:
    """Refuses what would not leave the process enough maps.

    Knows how many instances surely still fit; what ends is given
    back. Only when none fit for sure are the maps counted again.
    """

    def __init__(
        self, limit: int | None, count: Callable[[], int] = count_maps
    ) -> None:
        self._limit = limit
        self._count = count
        self._counted_at = -math.inf
        self.fit = 0 if limit is not None else sys.maxsize
        """So many more surely fit; at 0 or below, `check` before anything begins."""

    def check(self) -> None:
        """Refuse to begin anything while there may be too few maps left.

        Raises:
            CapacityReached: there are too few; nothing was begun.
        """
        if self.fit <= 0 and self._limit is not None:
            self._count_again(self._limit)

    def take(self) -> None:
        """Take note of another instance."""
        self.fit -= 1

    def give_back(self) -> None:
        """Take note that an instance is gone."""
        self.fit += 1

    def _count_again(self, limit: int) -> None:
        moment = time.monotonic()
        if moment - self._counted_at > _PAUSE:
            self._counted_at = moment
            self.fit = (limit - _HEADROOM - self._count()) // _MOST_EACH
        if self.fit <= 0:
            raise CapacityReached(
                f"this process is close to the kernel's limit of {limit} memory maps: "
                "raise vm.max_map_count, or run fewer actors in one process"
            )
