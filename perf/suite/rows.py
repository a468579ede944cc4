"""The rows of the page, from what a run of the suite and a run of peers have written."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from perf.peers import standing
from perf.peers.environments import OURS, PEERS, TRIO
from perf.suite import comparing
from perf.suite.cases import CASES
from perf.suite.page import Row, middle, section
from perf.suite.running import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.suite.results import CaseResult

_LIMITS: Final = Path(__file__).with_name("limits.toml")


class TooNoisy(Exception):
    """The figures were measured on a noisy machine, and are not for a page."""


def rows(run: Path, peers: Path) -> list[Row]:
    """Read both files.

    Raises:
        TooNoisy: saying which case was disturbed, and how.
        ValueError: the suite has no such case.
    """
    results = read(run)
    if noise := comparing.noise_of_machine(list(results.values())):
        raise TooNoisy(f"{run}: {noise}")
    if unknown := results.keys() - CASES.keys():
        raise ValueError(f"{run}: no case is named {', '.join(sorted(unknown))}")
    found = standing.parse(json.loads(peers.read_text("utf-8")))
    limits = tomllib.loads(_LIMITS.read_text("utf-8"))
    return [_row(each, limits, found) for each in results.values()]


def _row(result: CaseResult, limits: Mapping[str, str], peers: standing.Found) -> Row:
    short, kind = result.name.split("/")
    times = middle(
        peers.get(f"{short}-component" if kind == "component" else short, {})
    )
    return Row(
        result.name,
        CASES[result.name].what,
        result.unit,
        result.value,
        median(result.ratios),
        comparing.spread(result.ratios),
        CASES[result.name].wanted,
        limits.get(result.name, ""),
        {name: each for name, each in times.items() if name not in {*OURS, TRIO}},
    )


def generated(run: Path, peers: Path, chart: str) -> str:
    """Write the generated part of the page.

    Args:
        run: what `python -m perf run` wrote.
        peers: what `python -m perf peers` wrote.
        chart: where the chart is, as the page names it.

    Raises:
        TooNoisy: the run was disturbed.
        Unexplained: a case falls short and `limits.toml` does not say why.
    """
    document = json.loads(run.read_text("utf-8"))
    about = (
        f"Measured at commit {_said(document, 'airssys_commit')} with Python "
        f"{_said(document, 'python_version')} on {_said(document, 'cpu_model_name')}. "
        "To repeat it: `python -m perf run`, `python -m perf peers`, "
        "`python -m perf page RUN PEERS`."
    )
    found = standing.parse(json.loads(peers.read_text("utf-8")))
    columns = [peer.name for peer in PEERS]
    return "\n\n".join(
        (
            section(rows(run, peers), about),
            f"![time or memory against plain Trio]({chart})",
            "Microseconds for each operation, all in one run, in turn:",
            standing.markdown(found, columns),
        )
    )


def _said(document: Mapping[str, Any], key: str) -> str:
    """Return what pyperf noted about the machine or the commit, wherever it keeps it."""
    benchmark = document["benchmarks"][0]
    places = (document, benchmark, benchmark["runs"][-1])
    for place in places:
        if (found := place.get("metadata", {}).get(key)) is not None:
            return str(found)
    return "unknown"
