"""Keeps the process from reaching the kernel's limit on memory maps.

Each instance needs memory maps: up to three for each of its memories, two for the stack
that its store keeps between calls, one for each other large allocation. The kernel
allows a process only a limited number (Linux: vm.max_map_count, 65,530 unless changed).
At that limit every allocation of the process fails, not only wasmtime's. So we stop
before it is reached. Calls of an instance need no more maps, suspended or not, so at
the limit the existing instances continue.
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

    from airssys.wasm.artifacts import Footprint

_HEADROOM: Final = 2_000
"""Maps left to the rest of the process: threads, allocators, libraries."""
_STACK: Final = 3
"""Maps of the store: its stack, and itself when it is large."""
_MEMORY: Final = 3
"""Maps of each memory: what is in use, what it may grow into, and a guard."""
_LARGE: Final = 128 << 10
"""Bytes of one allocation above which it has a map of its own."""
_PAUSE: Final = 0.1
"""Seconds between two counts at the limit, because one takes up to 30 ms."""
_LIMIT: Final = Path("/proc/sys/vm/max_map_count")
_MAPS: Final = Path("/proc/self/maps")


def kernel_limit() -> int | None:
    """Return how many maps a process may have, or None if no limit is known."""
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return None


def count_maps() -> int:
    """Return how many maps this process has; takes up to 30 ms if there are many."""
    with _MAPS.open("rb") as file:
        return sum(
            chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 16), b"")
        )


def maps_of(found: Footprint) -> int:
    """Return the most maps an instance needs."""
    large = found.instance_bytes // _LARGE
    return _STACK + _MEMORY * len(found.memories) + len(found.tables) + large


@final
class MapBudget:
    """Refuses what would not leave the process enough maps.

    It tracks how many maps are certainly still free, including those of ended
    instances. The maps are only counted again when a new instance would not certainly
    fit.
    """

    def __init__(
        self, limit: int | None, count: Callable[[], int] = count_maps
    ) -> None:
        self._limit = limit
        self._count = count
        self._counted_at = -math.inf
        self.fit = 0 if limit is not None else sys.maxsize
        """The number of maps that are certainly free."""

    def check(self, maps: int) -> None:
        """Refuse to begin something that needs that many maps if there may be too few.

        Raises:
            CapacityReached: There are too few; nothing was begun.
        """
        if self.fit < maps and self._limit is not None:
            self._count_again(self._limit, maps)

    def take(self, maps: int) -> None:
        """Record another instance, which has that many maps."""
        self.fit -= maps

    def give_back(self, maps: int) -> None:
        """Record that it has ended."""
        self.fit += maps

    def _count_again(self, limit: int, maps: int) -> None:
        moment = time.monotonic()
        if moment - self._counted_at > _PAUSE:
            self._counted_at = moment
            self.fit = limit - _HEADROOM - self._count()
        if self.fit < maps:
            raise CapacityReached(
                f"this process is close to the kernel's limit of {limit} memory maps, "
                f"and an instance of this component needs up to {maps}: raise "
                "vm.max_map_count, or run fewer actors in one process"
            )
