"""airssys and plain Trio: the cases of the suite, each by itself.

Run as `python -m perf.peers.programs.by_airssys plain|async|trio`.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import trio

from perf.peers.programs.serving import serve
from perf.suite.cases import CASES

if TYPE_CHECKING:
    from perf.suite.timing import Opening


async def _measure(opening: Opening, count: int) -> float:
    async with opening() as measure:
        return await measure(count)


def _openings(side: str) -> dict[str, Opening]:
    found: dict[str, Opening] = {}
    for name, case in CASES.items():
        if case.unit == "byte":
            continue  # a process that has measured it once has memory to reuse
        short, kind = name.split("/")
        if kind == "component":
            short, kind = f"{short}-component", side
        if side == "trio":
            found.setdefault(short, case.calibration[1])
        elif side == kind:
            found[short] = case.open
    return found


def main() -> None:
    """Serve."""
    side = sys.argv[1]
    package = "trio" if side == "trio" else "airssys"
    cases = {
        name: partial(trio.run, _measure, opening)
        for name, opening in _openings(side).items()
    }
    serve(package, cases)


if __name__ == "__main__":
    main()
