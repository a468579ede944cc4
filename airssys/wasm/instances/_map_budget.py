"""Keeps the process from running into the kernel's limit on memory maps.

Each instance takes memory maps: up to three for each of its memories, two for the
stack that its store keeps from call to call, one for whatever else is large. The kernel
allows a process only so many (Linux: vm.max_map_count, 65,530 unless changed). At that
limit not only wasmtime fails but every allocation of the whole process. So we stop short
of it. Calls of an instance take no more maps, suspended or not: at the limit those that
are there go on.
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
"""Of the store: its stack, and itself when it is large."""
_MEMORY: Final = 3
"""Of each memory: what is in use, what it may grow into, and a guard."""
_LARGE: Final = 128 << 10
"""Bytes of one allocation beyond which it has a map of its own."""
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


def maps_of(found: Footprint, more_memories: int = 0) -> int:
    """How many maps an instance takes, at most, with memories of the host's in it."""
    large = found.instance_bytes // _LARGE
    return (
        _STACK
        + _MEMORY * (len(found.memories) + more_memories)
        + len(found.tables)
        + large
    )


@final
class MapBudget:
    """Refuses what would not leave the process enough maps.

    Knows how many maps are surely still free; what ends is given back. Only when what
    is to begin does not fit for sure are they counted again.
    """

    def __init__(
        self, limit: int | None, count: Callable[[], int] = count_maps
    ) -> None:
        self._limit = limit
        self._count = count
        self._counted_at = -math.inf
        self.fit = 0 if limit is not None else sys.maxsize
        """So many maps are surely free."""

    def check(self, maps: int) -> None:
        """Refuse to begin what takes so many maps while there may be too few left.

        Raises:
            CapacityReached: there are too few; nothing was begun.
        """
        if self.fit < maps and self._limit is not None:
            self._count_again(self._limit, maps)

    def take(self, maps: int) -> None:
        """Take note of another instance, which has so many maps."""
        self.fit -= maps

    def give_back(self, maps: int) -> None:
        """Take note that it is gone."""
        self.fit += maps

    def _count_again(self, limit: int, maps: int) -> None:
        moment = time.monotonic()
        if moment - self._counted_at > _PAUSE:
            self._counted_at = moment
            self.fit = limit - _HEADROOM - self._count()
        if self.fit < maps:
            raise CapacityReached(
                f"this process is close to the kernel's limit of {limit} memory maps, "
                f"and an instance of this component takes up to {maps}: raise "
                "vm.max_map_count, or run fewer actors in one process"
            )
