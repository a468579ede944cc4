"""Writing what was found of populations as pyperf's JSON, with what it notes of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyperf

from perf.growth.steps import benchmarks
from perf.suite.running import commit

if TYPE_CHECKING:
    from pathlib import Path

    from perf.growth.steps import Found

_LEAST: Final = 1e-12
"""pyperf refuses a value that is not above 0; memory may not have grown at all."""


def dump(found: Found, output: Path) -> None:
    """Write it; a benchmark is named `actors@100000@open`."""
    kept = []
    for name, unit, value in benchmarks(found):
        metadata = {"name": name, "unit": unit, "airssys_commit": commit()}
        run = pyperf.Run([max(value, _LEAST)], metadata=metadata, collect_metadata=True)
        kept.append(pyperf.Benchmark([run]))
    output.parent.mkdir(parents=True, exist_ok=True)
    pyperf.BenchmarkSuite(kept).dump(str(output))
