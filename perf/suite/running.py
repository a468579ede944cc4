"""Running cases with pyperf: workers, their notes, and the file with the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import pyperf

from perf.suite.cases import chosen
from perf.suite.results import WHAT, Note, by_process, parse, with_notes
from perf.suite.timing import Case, measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf.suite.results import Results

ROOT: Final = Path(__file__).resolve().parents[2]
BASELINES: Final = ROOT / "perf" / "baselines"
_NOTES: Final = "AIRSSYS_PERF_NOTES"
"""The file to which a worker adds what it measured besides pyperf's one number."""
_WARMUPS: Final = 1


@attrs.frozen
class Effort:
    """How much is measured of each case."""

    processes: int
    values: int


FULL: Final = Effort(15, 5)
QUICK: Final = Effort(5, 3)
_MEMORY_VALUES: Final = 1
"""Of memory, the first value of a process is the only one that nothing was freed for."""


def run(patterns: Sequence[str], effort: Effort, output: Path) -> Results:
    """Run cases, one after another, and write what they found.

    Raises:
        UnknownCase: no case matches a pattern.
        FileExistsError: there is such a file already.
        RuntimeError: a worker failed; it has printed why.
    """
    if output.exists():
        raise FileExistsError(f"{output} is there already; choose another name")
    cases = chosen(patterns)
    with tempfile.TemporaryDirectory() as directory:
        notes = Path(directory, "notes")
        os.environ[_NOTES] = str(notes)
        names = [case.name for case in cases]
        runner = _runner(names)
        runner.parse_args(["--quiet", "--inherit-environ", _NOTES, "--loops", "1"])
        suite = pyperf.BenchmarkSuite(
            [_run_case(runner, case, effort, notes) for case in cases]
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    suite.dump(str(output))
    return read(output)


def work(arguments: Sequence[str]) -> None:
    """Be a worker: names of cases, then what pyperf passes to it."""
    first = next(n for n, each in enumerate(arguments) if each.startswith("--"))
    runner = _runner(arguments[:first])
    runner.parse_args(list(arguments[first:]))
    for case in chosen(arguments[:first]):
        _bench(runner, case)


def _runner(names: Sequence[str]) -> pyperf.Runner:
    return pyperf.Runner(program_args=("-m", "perf", "worker", *names))


def _run_case(
    runner: pyperf.Runner, case: Case, effort: Effort, notes: Path
) -> pyperf.Benchmark:
    memory = case.unit == "byte"
    warmups = 0 if memory else _WARMUPS
    runner.args.loops = case.loops
    runner.args.processes = effort.processes
    runner.args.values = _MEMORY_VALUES if memory else effort.values
    runner.args.warmups = warmups
    notes.write_text("")
    bench = _bench(runner, case)
    if bench is None:
        raise RuntimeError(f"{case.name}: pyperf returned nothing")
    found = (Note(**json.loads(line)) for line in notes.read_text().splitlines())
    measured = {"airssys_commit": commit()}
    return with_notes(bench, [measured | each for each in by_process(found, warmups)])


def _bench(runner: pyperf.Runner, case: Case) -> pyperf.Benchmark | None:
    metadata = {"unit": case.unit, "airssys_against": case.calibration[0]}
    metadata[WHAT] = case.what
    found: pyperf.Benchmark | None = runner.bench_time_func(
        case.name, partial(_timed, case), metadata=metadata
    )
    return found


def _timed(case: Case, loops: int) -> float:
    value = measure(case, loops)
    note = Note(os.getpid(), value.calibration / loops, value.ratio, value.lost)
    with Path(os.environ[_NOTES]).open("a") as file:
        file.write(json.dumps(attrs.asdict(note)) + "\n")
    return value.case


def read(path: Path) -> Results:
    """Read what a run has written.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a file of this suite.
    """
    return parse(json.loads(path.read_text("utf-8")))


def baseline() -> Path:
    """Return the file with the committed baseline for this Python."""
    python = f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    return BASELINES / f"{python}.json"


def commit() -> str:
    """Return the commit that is measured, or `unknown` outside of a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
