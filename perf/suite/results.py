"""What a run of the suite found, and how it is kept in pyperf's JSON."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyperf

RATIOS: Final = "airssys_ratio"
CALIBRATION: Final = "airssys_calibration"
LOST: Final = "airssys_lost"
WHAT: Final = "airssys_what"
Metadata: TypeAlias = "dict[str, float | str]"
Json: TypeAlias = "Mapping[str, Any]"


@attrs.frozen
class Process:
    """What one worker process measured, all in turn.

    Attributes:
        value: of one operation of the case; seconds, or bytes.
        calibration: the same of its calibration case.
        ratio: the case against its calibration, slice by slice: the median.
        lost: the part of the time during which the process did not run.
    """

    value: float
    calibration: float
    ratio: float
    lost: float = 0.0


@attrs.frozen
class CaseResult:
    """One case in one run of the suite."""

    name: str
    processes: tuple[Process, ...]
    unit: str = "second"
    what: str = ""

    @property
    def ratios(self) -> list[float]:
        """The ratio that each process found."""
        return [each.ratio for each in self.processes]

    @property
    def calibrations(self) -> list[float]:
        """What the calibration took in each process."""
        return [each.calibration for each in self.processes]

    @property
    def value(self) -> float:
        """The median of what one operation took."""
        return median(each.value for each in self.processes)

    @property
    def lost(self) -> float:
        """The median of the time lost to others, as a part of the whole."""
        return median(each.lost for each in self.processes)


Results: TypeAlias = "dict[str, CaseResult]"


def parse(document: Json) -> Results:
    """Read a suite's JSON, as pyperf wrote it.

    Raises:
        ValueError: a benchmark was not measured by this suite.
    """
    found = {}
    for benchmark in document["benchmarks"]:
        shared = {**document.get("metadata", {}), **benchmark.get("metadata", {})}
        name = shared.get("name") or benchmark["runs"][0]["metadata"]["name"]
        runs = [run for run in benchmark["runs"] if run.get("values")]
        processes = tuple(_process(name, run, shared) for run in runs)
        if not processes:
            raise ValueError(f"{name}: no process measured anything")
        about = shared.get("unit", "second"), shared.get(WHAT, "")
        found[name] = CaseResult(name, processes, *about)
    return found


def _process(name: str, run: Json, shared: Json) -> Process:
    metadata = {**shared, **run.get("metadata", {})}
    if RATIOS not in metadata:
        raise ValueError(
            f"{name}: no ratio to a calibration case; `python -m perf run` did not "
            "write this file"
        )
    return Process(
        median(run["values"]),
        float(metadata[CALIBRATION]),
        float(metadata[RATIOS]),
        float(metadata.get(LOST, 0.0)),
    )


@attrs.frozen
class Note:
    """What a worker measured besides pyperf's one number: of one of its values."""

    pid: int
    calibration: float
    ratio: float
    lost: float


def by_process(notes: Iterable[Note], warmups: int) -> list[Metadata]:
    """Make the metadata of each process, in the order in which they ran.

    Args:
        notes: of all values.
        warmups: values at the beginning of each process that do not count.
    """
    grouped: dict[int, list[Note]] = {}
    for note in notes:
        grouped.setdefault(note.pid, []).append(note)
    return [_metadata(group[warmups:]) for group in grouped.values()]


def _metadata(notes: Sequence[Note]) -> Metadata:
    return {
        RATIOS: median(note.ratio for note in notes),
        CALIBRATION: median(note.calibration for note in notes),
        LOST: median(note.lost for note in notes),
    }


def with_notes(
    bench: pyperf.Benchmark, metadata: Sequence[Mapping[str, float | str]]
) -> pyperf.Benchmark:
    """Add to each process of a benchmark what it measured besides.

    Raises:
        ValueError: not as many processes as there is metadata for.
    """
    import pyperf  # noqa: PLC0415  # what judges results needs no pyperf

    runs = []
    for run, more in zip(bench.get_runs(), metadata, strict=True):
        kept = {**run.get_metadata(), **more}
        runs.append(
            pyperf.Run(
                run.values, warmups=run.warmups, metadata=kept, collect_metadata=False
            )
        )
    return pyperf.Benchmark(runs)


def joined(runs: Sequence[Results]) -> Results:
    """Make one run of several: of each case, the processes of all of them."""
    found: Results = {}
    for results in runs:
        for name, result in results.items():
            before = found[name].processes if name in found else ()
            found[name] = attrs.evolve(result, processes=before + result.processes)
    return found
