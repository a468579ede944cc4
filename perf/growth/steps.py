"""Several sizes of each population, each in a process of its own, and whether it is flat.

Nothing here is measured, and nothing that is measured is imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Found: TypeAlias = "dict[str, dict[int, dict[str, float]]]"
"""By population and size, the figures for each member."""

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = (0.01, 0.1, 0.33, 1.0)
"""The sizes, as parts of the largest."""
FLAT: Final = 1.5
"""How much more one of the whole may take than one of a tenth: caches, and log n."""
_LEAST: Final = {"bytes": 16.0, "seconds": 1e-7}
"""What is smaller than this for each is noise: a page, a tick of the clock."""
_BYTES: Final = "bytes"


def sizes(most: int) -> list[int]:
    """Return the sizes that are measured."""
    return sorted({max(1, round(most * part)) for part in PARTS})


def measure(population: str, size: int) -> dict[str, float]:
    """Measure one size in a process of its own.

    Raises:
        ValueError: it did not end well; it has printed why.
    """
    command = [sys.executable, "-m", "perf", "population", population, str(size)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"{size:,} {population}: ended with {done.returncode}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def growth(by_size: Mapping[int, Mapping[str, float]], figure: str) -> float | None:
    """Return how much more one of the whole takes than one of a tenth.

    None if there is one size only, or it is too small to be seen.
    """
    least = _LEAST["bytes" if figure.startswith(_BYTES) else "seconds"]
    *smaller, most = sorted(by_size)
    tenth = min(smaller, key=lambda size: abs(size - most / 10), default=None)
    if tenth is None:
        return None
    above, below = by_size[most][figure], by_size[tenth][figure]
    return None if max(above, below) < least else above / max(below, least)


def verdict(by_size: Mapping[int, Mapping[str, float]], figure: str) -> str:
    """Say whether a figure is flat."""
    by = growth(by_size, figure)
    if by is None:
        return "nothing to see"
    return f"{by:.2f} x, {'flat' if by <= FLAT else 'grows'}"


def shown(figure: str, value: float) -> str:
    """Show a figure of one size."""
    if figure.startswith(_BYTES):
        return f"{value:,.0f} B" if abs(value) >= 10 else f"{value:.2f} B"
    return f"{value * 1e6:,.3g} us" if value < 1e-3 else f"{value * 1e3:,.3g} ms"


def markdown(found: Found) -> str:
    """Show all as tables, one for each population."""
    return "\n\n".join(_table(name, by_size) for name, by_size in found.items())


def _table(name: str, by_size: Mapping[int, Mapping[str, float]]) -> str:
    columns = sorted(by_size)
    lines = [
        [f"each of the {name}", *(f"{size:,}" for size in columns), "whole / tenth"],
        ["---"] * (len(columns) + 2),
    ]
    for figure in by_size[columns[-1]]:
        values = (shown(figure, by_size[size][figure]) for size in columns)
        lines.append([figure, *values, verdict(by_size, figure)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def unflat(found: Found) -> list[str]:
    """Name the figures that grow, such as `actors: open`."""
    return [
        f"{name}: {figure}"
        for name, by_size in found.items()
        for figure in by_size[max(by_size)]
        if (growth(by_size, figure) or 0) > FLAT
    ]


def benchmarks(found: Found) -> Iterable[tuple[str, str, float]]:
    """Return name, unit and value of each figure, as pyperf keeps them."""
    for population, by_size in found.items():
        for size, figures in by_size.items():
            for figure, value in figures.items():
                unit = "byte" if figure.startswith(_BYTES) else "second"
                yield f"{population}@{size}@{figure}", unit, value


def parse(document: Mapping[str, Any]) -> Found:
    """Read what was written of them."""
    found: Found = {}
    for benchmark in document["benchmarks"]:
        shared = {**document.get("metadata", {}), **benchmark.get("metadata", {})}
        (run,) = benchmark["runs"]
        name = {**shared, **run.get("metadata", {})}["name"]
        population, size, figure = name.split("@")
        (value,) = run["values"]
        found.setdefault(population, {}).setdefault(int(size), {})[figure] = value
    return found
