"""Several ways to do the same, timed in turn, so that a busy machine is the same to all.

Each is timed over many short rounds and its least time counts: what else the machine
does can only make a round longer, and a short one is sometimes left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

Side: TypeAlias = Callable[[], Awaitable[float]]
"""Does something once; returns the seconds it took."""


async def least_times(sides: Mapping[str, Side], rounds: int) -> dict[str, float]:
    """Time each side that often, in turn; return the least seconds of each."""
    least = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            least[name] = min(least[name], await side())
    return least
