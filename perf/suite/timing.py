"""A case and its calibration in one process, in turn, in short slices.

Whatever else the machine does meets both the same way. The ratio is taken slice by slice, and
how long the process waited for a processor is noted: that part of the time says nothing.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Measure: TypeAlias = Callable[[int], Awaitable[float]]

Opening: TypeAlias = "Callable[[], AbstractAsyncContextManager[Measure]]"
"""Sets everything up; yields what does an operation that often and returns seconds, or
bytes, without the set-up."""
SLICES: Final = 5


@attrs.frozen
class Case:
    """Something that is measured, and what it is compared with in the same process.

    Attributes:
        name: such as `ask/plain`.
        what: one line for people.
        open: sets it up.
        calibration: name and opening of the same by plain Trio.
        loops: operations in one value, which should take about a tenth of a second.
        unit: `second` or `byte`, as pyperf calls them.
        wanted: the most that the ratio to the calibration should be, if the issue says.
    """

    name: str
    what: str
    open: Opening
    calibration: tuple[str, Opening]
    loops: int
    unit: str = "second"
    wanted: float | None = None


@attrs.frozen
class Value:
    """One value: the case for all loops, its calibration likewise, and the noise."""

    case: float
    calibration: float
    ratio: float
    lost: float


def measure(case: Case, loops: int) -> Value:
    """Measure a case once."""
    return trio.run(_alternate, case, loops)


async def _alternate(case: Case, loops: int) -> Value:
    portion = max(1, loops // SLICES)
    pairs = []
    wall = busy = 0.0
    async with case.calibration[1]() as calibration, case.open() as measured:
        for _ in range(SLICES):
            # The calibration never waits, so what it waits for is a processor.
            began, began_busy = perf_counter(), process_time()
            below = await calibration(portion)
            wall += perf_counter() - began
            busy += process_time() - began_busy
            pairs.append((await measured(portion), below))
    scale = loops / (portion * SLICES)
    above, below = (sum(side) * scale for side in zip(*pairs, strict=True))
    # Memory grows by pages, and by none in some slices.
    whole = [(above, below)] if case.unit == "byte" else pairs
    ratio = median(one / other for one, other in whole)
    return Value(above, below, ratio, max(0.0, 1 - busy / wall))


def alone(case: Case, seconds: float) -> None:
    """Do a case again and again, without its calibration, for a profile."""
    trio.run(_alone, case, seconds)


async def _alone(case: Case, seconds: float) -> None:
    ends = perf_counter() + seconds
    async with case.open() as measured:
        while perf_counter() < ends:
            await measured(case.loops)
