"""What the memory of an idle actor is made of: which lines of code allocated it."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from perf.suite.timing import Case

_SHOWN: Final = 25
_ROOT: Final = Path(__file__).resolve().parents[2]


def breakdown(case: Case, count: int) -> str:
    """Show the bytes of each, by the line that allocated them, the largest first.

    Memory that is not allocated through Python, such as that of instances, is not seen.
    """
    lines = trio.run(_traced, case, count)
    whole = sum(size for _, size in lines)
    shown = [f"{whole / count:10,.0f} bytes each, of {count:,}; by line:"]
    shown += [f"{size / count:10,.1f}  {line}" for line, size in lines[:_SHOWN]]
    rest = sum(size for _, size in lines[_SHOWN:])
    return "\n".join([*shown, f"{rest / count:10,.1f}  everything else"])


async def _traced(case: Case, count: int) -> list[tuple[str, int]]:
    async with case.open() as grow:
        await grow(10)  # what is made once is there now
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        await grow(count)
        gc.collect()
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
    found = after.compare_to(before, "lineno")
    lines = [(_line(each.traceback), each.size_diff) for each in found]
    return sorted(lines, key=lambda each: -each[1])


def _line(traceback: tracemalloc.Traceback) -> str:
    frame = traceback[0]
    name = frame.filename.removeprefix(f"{_ROOT}/").split("site-packages/")[-1]
    return f"{name}:{frame.lineno}"
