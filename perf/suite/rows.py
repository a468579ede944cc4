"""The generated part of the page, from what the suite's commands have written.

Nothing here imports what is measured: a test makes the page again from the same files.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import attrs

from perf.growth import steps
from perf.peers import standing
from perf.peers.environments import OURS, PEERS, TRIO
from perf.peers.wanted import WANTED as WANTED_OF_PEERS
from perf.suite import charts, comparing
from perf.suite.bounds import WANTED
from perf.suite.page import Row, section
from perf.suite.results import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf.suite.results import CaseResult

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"
PARTS: Final = ("run", "peers", "scale")
"""The files in it, each of which may be missing; named as the commands that write them."""
RATIOS: Final = "performance.svg"
DOTS: Final = "performance-peers.svg"
NOTHING: Final = (
    "Not measured yet on a quiet machine: `python -m perf page` writes the tables here."
)
_UNKNOWN: Final = "not explained yet."
_LIMITS: Final = Path(__file__).with_name("limits.toml")


class TooNoisy(Exception):
    """The figures were measured on a noisy machine, and are not for a page."""


@attrs.frozen
class Page:
    """What is written: a part of the document, and its charts, by their files' names."""

    text: str
    charts: dict[str, str]


def generated(results: Path) -> Page:
    """Write the generated part of the page.

    Args:
        results: a folder with `run.json`, `peers.json` and `scale.json`, or some of them.

    Raises:
        TooNoisy: a run was disturbed.
        Unexplained: a case falls short, and `limits.toml` does not say why.
    """
    documents = {
        name: json.loads(path.read_text("utf-8"))
        for name in PARTS
        if (path := results / f"{name}.json").exists()
    }
    limits = tomllib.loads(_LIMITS.read_text("utf-8"))
    parts, drawn = [], {}
    if "run" in documents:
        rows = rows_of(documents["run"], limits["cases"])
        parts += [section(rows, _about(documents["run"]))]
        parts += [f"![how many times the calibration]({RATIOS})"]
        drawn[RATIOS] = charts.ratios(rows)
    if "peers" in documents:
        found = standing.parse(documents["peers"])
        parts += _peers(found, limits["peers"])
        drawn[DOTS] = charts.peers(found, [peer.name for peer in PEERS])
    if "scale" in documents:
        parts.append(_scale(documents["scale"], limits["scale"]))
    return Page("\n\n".join(parts) or NOTHING, drawn)


def rows_of(document: Mapping[str, Any], limits: Mapping[str, str]) -> list[Row]:
    """Read a run of the suite.

    Raises:
        TooNoisy: saying which case was disturbed, and how.
    """
    results = parse(document)
    if noise := comparing.noise_of_machine(list(results.values())):
        raise TooNoisy(f"the run of the suite: {noise}")
    return [_row(each, limits) for each in results.values()]


def _row(result: CaseResult, limits: Mapping[str, str]) -> Row:
    return Row(
        result.name,
        result.what,
        result.unit,
        result.value,
        median(result.ratios),
        comparing.spread(result.ratios),
        WANTED.get(result.name),
        limits.get(result.name, ""),
    )


def _about(document: Mapping[str, Any]) -> str:
    return (
        f"Measured at commit {_noted(document, 'airssys_commit')} with Python "
        f"{_noted(document, 'python_version')} on {_noted(document, 'cpu_model_name')}. "
        "To repeat it: `python -m perf run`, `python -m perf peers`, "
        "`python -m perf scale`, then `python -m perf page` with the three files that "
        "they wrote. Each case is compared with the same by plain Trio, in turn in one "
        "process; those of components with bare calls or bare instances."
    )


def _peers(found: standing.Found, why: Mapping[str, str]) -> list[str]:
    lines = standing.standing(found, OURS, TRIO, WANTED_OF_PEERS)
    if lines and all(line.noise for line in lines):
        raise TooNoisy(f"the run of peers: {lines[0].noise}")
    ahead = {name for line in lines for name, _ in line.ahead}
    names = [peer.name for peer in PEERS]
    parts = [
        "### Beside other frameworks",
        "Microseconds for each operation, all in one run, in turn:",
        standing.markdown(found, names),
        f"![microseconds for each operation]({DOTS})",
        "In the same rounds, against plain Trio, and who is faster:",
        standing.verdicts(lines),
    ]
    if ahead:
        parts.append("What those are that are faster somewhere:")
        reasons = (f"- **{name}**: {why[name]}" for name in names if name in ahead)
        parts.append("\n".join(reasons))
    return parts


def _scale(document: Mapping[str, Any], limits: Mapping[str, str]) -> str:
    found = steps.parse(document)
    grows = steps.unflat(found)
    parts = [
        "### From few to many",
        (
            "Processor time and memory for each, by how many there are; each size in a "
            f"process of its own. Flat: one of the whole takes at most {steps.FLAT} times "
            "one of a tenth. Pooled components end at 4,096, because each takes about 14 GiB "
            "of the 128 TiB of addresses that a process has; others are limited by "
            "the kernel's number of memory maps, five for each."
        ),
        steps.markdown(found),
    ]
    if grows:
        parts.append("What is not flat, and why:")
        lines = (f"- **{name}**: {limits.get(name, _UNKNOWN)}" for name in grows)
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _noted(document: Mapping[str, Any], key: str) -> str:
    """Return what pyperf noted about the machine or the commit, wherever it keeps it."""
    benchmark = document["benchmarks"][0]
    places = (document, benchmark, benchmark["runs"][-1])
    for place in places:
        if (found := place.get("metadata", {}).get(key)) is not None:
            return str(found)
    return "unknown"
