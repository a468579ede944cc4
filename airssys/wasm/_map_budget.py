"""Keeps the process from running into the kernel's limit on memory maps.

Each instance takes a few memory maps and each suspended call some more, and the kernel
allows a process only so many (Linux: vm.max_map_count, 65,530 unless changed). At that
limit not only wasmtime fails but every allocation of the whole process. So we stop
short of it: while there is room for sure nothing is read; close to it the maps are
counted, at most once for every few hundred new ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, final

from airssys.contracts import CapacityReached

_HEADROOM: Final = 2_000
"""Maps left to the rest of the process: threads, allocators, libraries."""
_MOST_PER_STEP: Final = 6
"""No instance, and no suspended call, takes more maps than this by far."""
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
    """Refuses what would not leave the process enough maps."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._steps_for_sure = 0

    def check(self) -> None:
        """Take note that maps are about to be made.

        Raises:
            CapacityReached: there would be too few left; nothing was made.
        """
        if self._limit is None:
            return
        if self._steps_for_sure > 0:
            self._steps_for_sure -= 1
            return
        left = self._limit - _HEADROOM - count_maps()
        if left < _MOST_PER_STEP:
            raise CapacityReached(
                f"this process is close to the kernel's limit of {self._limit} memory "
                "maps: raise vm.max_map_count, or run fewer actors in one process"
            )
        self._steps_for_sure = left // (2 * _MOST_PER_STEP)
