"""Measured numbers, their ratios to others of the same run, and the verdicts on both.

Nothing here knows an absolute speed: a bound is a ratio, or a time that the design
promises on any machine.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, final

import attrs

if TYPE_CHECKING:
    import pyperf

Unit: TypeAlias = Callable[[float], str]
TimeFunction: TypeAlias = Callable[[int], float]
"""Does something that many times; returns the seconds it took, set-up excluded."""

_KIB: Final = 1024


class WrongCount(Exception):
    """Not everything that was delivered was handled, or more was."""


def check_count(what: str, found: int, wanted: int) -> None:
    """Fail unless exactly as much was handled as was delivered.

    Raises:
        WrongCount: saying what and how many.
    """
    if found != wanted:
        raise WrongCount(f"{what}: {found}, not {wanted}")


def seconds(value: float) -> str:
    """Show a time."""
    if value < 1e-3:
        return f"{value * 1e6:.2f} us"
    return f"{value * 1e3:.2f} ms" if value < 1 else f"{value:.2f} s"


def kib(value: float) -> str:
    """Show a number of bytes."""
    return f"{value / _KIB:,.1f} KiB"


def count(value: float) -> str:
    """Show how many there are."""
    return f"{value:,.0f}"


def times(value: float) -> str:
    """Show a ratio."""
    return f"{value:.2f} x"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that this many percent are not above."""
    rank = max(0, -(-len(values) * percent // 100) - 1)
    return sorted(values)[int(rank)]


@final
@attrs.define(eq=False)
class Report:
    """What one script found, line by line; `finish` prints it and ends the script."""

    title: str
    _lines: list[tuple[str, str, str, str]] = attrs.field(init=False, factory=list)
    _values: dict[str, float] = attrs.field(init=False, factory=dict)
    _missed: int = attrs.field(init=False, default=0)

    def measured(
        self, name: str, value: float, unit: Unit, *, at_most: float | None = None
    ) -> None:
        """Add a number, under a name that ratios can use."""
        self._values[name] = value
        self._judge(name, value, unit, None, at_most)

    def ratio(
        self,
        above: str,
        below: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Add the ratio of two numbers that were measured."""
        value = self._values[above] / self._values[below]
        self._judge(f"{above} / {below}", value, times, at_least, at_most)

    def counted(self, what: str, found: int, wanted: int) -> None:
        """Add a count that must be right."""
        verdict = "ok" if found == wanted else "WRONG"
        self._missed += found != wanted
        self._lines.append((what, count(found), f"exactly {wanted:,}", verdict))

    def showed(self, what: str, *, held: bool) -> None:
        """Add something that must have been seen."""
        self._missed += not held
        self._lines.append((what, "yes" if held else "no", "", _verdict(held=held)))

    def finish(self) -> None:
        """Print everything; end with status 1 if a bound was missed.

        Raises:
            SystemExit: in any case.
        """
        print(f"\n{self.title}\n{_machine()}")
        widths = [max(map(len, column)) for column in zip(*self._lines, strict=True)]
        for what, value, bound, verdict in self._lines:
            line = f"{what:<{widths[0]}}  {value:>{widths[1]}}  {bound:<{widths[2]}}"
            print(f"  {line}  {verdict}".rstrip())
        sys.exit(1 if self._missed else 0)

    def _judge(
        self,
        name: str,
        value: float,
        unit: Unit,
        at_least: float | None,
        at_most: float | None,
    ) -> None:
        if at_least is None and at_most is None:
            self._lines.append((name, unit(value), "", ""))
            return
        held = (at_least is None or value >= at_least) and (
            at_most is None or value <= at_most
        )
        bounds = (("at least", at_least), ("at most", at_most))
        bound = ", ".join(f"{word} {unit(n)}" for word, n in bounds if n is not None)
        self._missed += not held
        self._lines.append((name, unit(value), bound, _verdict(held=held)))


def _verdict(*, held: bool) -> str:
    return "ok" if held else "MISSED"


def _machine() -> str:
    versions = " ".join(f"{name} {version(name)}" for name in ("trio", "wasmtime"))
    return (
        f"  (Python {platform.python_version()}, {versions}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f})"
    )


class _Benchmark(Protocol):
    def median(self) -> float: ...


def bench(
    runner: pyperf.Runner, functions: Mapping[str, TimeFunction]
) -> dict[str, float] | None:
    """Measure each with pyperf, in processes of their own; medians in seconds.

    Returns:
        None in such a process, which has nothing to report.
    """
    found: dict[str, _Benchmark | None] = {
        name: runner.bench_time_func(name, function)
        for name, function in functions.items()
    }
    if runner.args.worker:
        return None
    return {name: each.median() for name, each in found.items() if each is not None}


def report_medians(title: str, medians: Mapping[str, float]) -> Report:
    """Begin a report with what `bench` has measured."""
    report = Report(title)
    for name, median in medians.items():
        report.measured(name, median, seconds)
    return report


def fit_line(points: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Fit a straight line by least squares.

    Returns:
        Its slope, and the largest distance of a point from it, as a part of the whole
        rise.
    """
    xs, ys = zip(*points, strict=True)
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    both = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    slope = both / sum((x - mean_x) ** 2 for x in xs)
    off = max(
        abs(y - mean_y - slope * (x - mean_x)) for x, y in zip(xs, ys, strict=True)
    )
    rise = max(ys) - min(ys)
    return slope, off / rise if rise else 0.0
