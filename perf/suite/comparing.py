"""Whether one run of the suite is slower than another, or too noisy to say.

Everything here is a ratio of a case to its calibration, so that two runs can be compared
although the machine was faster during one of them. What counts as a change follows from
how far apart the processes of each run are. Nothing is measured here.
"""

from __future__ import annotations

import enum
import math
from statistics import median
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from perf.suite.results import CaseResult

    Results: TypeAlias = Mapping[str, CaseResult]

LEAST_PROCESSES: Final = 5
"""With fewer, their spread says nothing."""
FLOOR: Final = 0.03
"""A smaller change is never reported: code that was only moved differs by as much."""
_SIGMAS: Final = 4.0
"""How many standard errors make a change; three are crossed by chance in a suite of twenty
cases with as few processes as `--quick` starts."""
MOST_LOST: Final = 0.05
"""A process that waits for a processor longer than this part of its time is disturbed."""
MOST_SPREAD: Final = 0.10
"""The same code of plain Trio differs by more than this only on a busy machine."""
_MAD_TO_DEVIATION: Final = 1.4826
_MEDIAN_TO_MEAN: Final = 1.2533
"""How much wider the standard error of a median is than that of a mean."""


class Verdict(enum.Enum):
    """What a comparison says of a case."""

    SAME = "same"
    SLOWER = "SLOWER"
    FASTER = "faster"
    NOISY = "not judged: noise"
    FEW = f"not judged: fewer than {LEAST_PROCESSES} processes"
    MISSING = "not judged: only in one run"


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation, as a part of the median; outliers hardly count."""
    middle = median(values)
    off = median(abs(value - middle) for value in values)
    return _MAD_TO_DEVIATION * off / middle if middle else math.inf


def uncertainty(values: Sequence[float]) -> float:
    """Return the standard error of the median, as a part of it."""
    return _MEDIAN_TO_MEAN * spread(values) / math.sqrt(len(values))


def threshold(base: Sequence[float], new: Sequence[float]) -> float:
    """Return how large a change must be, as a part of the base, to be one."""
    return max(FLOOR, _SIGMAS * math.hypot(uncertainty(base), uncertainty(new)))


def noise_of(result: CaseResult) -> str | None:
    """Say what disturbed a case, or None if nothing did."""
    if result.lost > MOST_LOST:
        return f"waited for a processor {result.lost:.0%} of the time"
    apart = spread(result.calibrations)
    if result.unit == "second" and apart > MOST_SPREAD:
        return f"its calibration differs by {apart:.0%} between processes"
    return None


def noise_of_machine(results: Sequence[CaseResult]) -> str | None:
    """Say why the whole run is worth nothing, or None if it is worth something."""
    disturbed = {each.name: noise for each in results if (noise := noise_of(each))}
    total = len(results)
    if disturbed and len(disturbed) * 4 > total:
        name, noise = next(iter(disturbed.items()))
        return f"{len(disturbed)} of {total} cases were disturbed ({name}: {noise})"
    return None


@attrs.frozen
class Change:
    """One case in both runs.

    Attributes:
        base: ratio to the calibration; None if the case was not run.
        new: the same.
        limit: the change that counts as one.
    """

    name: str
    verdict: Verdict
    base: float | None = None
    new: float | None = None
    limit: float = math.inf
    why: str = ""

    @property
    def change(self) -> float | None:
        """How much slower the new one is, as a part of the base."""
        if self.base is None or self.new is None:
            return None
        return self.new / self.base - 1


def compare_case(base: CaseResult, new: CaseResult) -> Change:
    """Compare a case in two runs."""
    before, after = median(base.ratios), median(new.ratios)
    limit = threshold(base.ratios, new.ratios)
    why = noise_of(base) or noise_of(new) or ""
    if min(len(base.ratios), len(new.ratios)) < LEAST_PROCESSES:
        verdict = Verdict.FEW
    elif why:
        verdict = Verdict.NOISY
    else:
        verdict = _verdict(after / before - 1, limit)
    return Change(base.name, verdict, before, after, limit, why)


def _verdict(change: float, limit: float) -> Verdict:
    if abs(change) <= limit:
        return Verdict.SAME
    return Verdict.SLOWER if change > 0 else Verdict.FASTER


@attrs.frozen
class Comparison:
    """Two runs, case by case.

    Attributes:
        noise: why nothing was judged; None if it was.
    """

    changes: tuple[Change, ...]
    noise: str | None = None

    @property
    def status(self) -> int:
        """How the program exits: 0 as fast, 1 slower, 3 nothing was judged."""
        verdicts = {change.verdict for change in self.changes}
        if self.noise or not verdicts & {Verdict.SAME, Verdict.SLOWER, Verdict.FASTER}:
            return 3
        return 1 if Verdict.SLOWER in verdicts else 0


def compare(base: Results, new: Results, *, only_new: bool = False) -> Comparison:
    """Compare two runs.

    Args:
        base: the earlier run.
        new: the later one.
        only_new: leave out cases that only the base has, as a run of some cases does.
    """
    names = [name for name in base if name in new or not only_new]
    names += [name for name in new if name not in base]
    noise = None
    for which, results in (("base", base), ("new", new)):
        if (found := noise_of_machine(list(results.values()))) and noise is None:
            noise = f"the {which} run was made on a noisy machine: {found}"
    changes = tuple(_change(name, base.get(name), new.get(name)) for name in names)
    if noise:
        changes = tuple(_unjudged(change, noise) for change in changes)
    return Comparison(changes, noise)


def _change(name: str, base: CaseResult | None, new: CaseResult | None) -> Change:
    if base is None or new is None:
        before = median(base.ratios) if base else None
        after = median(new.ratios) if new else None
        return Change(name, Verdict.MISSING, before, after)
    return compare_case(base, new)


def _unjudged(change: Change, noise: str) -> Change:
    if change.verdict in {Verdict.MISSING, Verdict.FEW}:
        return change
    return attrs.evolve(change, verdict=Verdict.NOISY, why=change.why or noise)


def table(comparison: Comparison) -> str:
    """Show a comparison, a case on each line."""
    lines = [("case", "base", "new", "change", "counts from", "verdict")]
    for each in comparison.changes:
        change = "" if each.change is None else f"{each.change:+.1%}"
        limit = "" if math.isinf(each.limit) else f"{each.limit:.1%}"
        ratios = (_times(each.base), _times(each.new))
        lines.append((each.name, *ratios, change, limit, each.verdict.value))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(_cells(line, widths)).rstrip() for line in lines]
    if comparison.noise:
        shown.append(f"Nothing was judged: {comparison.noise}.")
    return "\n".join(shown)


def _cells(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *middle, last = line
    numbers = [f"{cell:>{w}}" for cell, w in zip(middle, widths[1:-1], strict=True)]
    return [f"{first:<{widths[0]}}", *numbers, last]


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.3f} x"
