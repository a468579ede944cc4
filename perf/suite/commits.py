"""Two commits measured in turn by the suite of this checkout, and compared."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Final

from perf.suite.results import joined
from perf.suite.running import ROOT, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from perf.suite.results import Results

_COMMITS: Final = ROOT / ".build" / "perf" / "commits"
_TURNS: Final = 3


def measure(
    base: str, new: str, cases: Sequence[str], results: Path
) -> tuple[Results, Results]:
    """Measure both in turn, several times, so that a busy minute is the same to both.

    Raises:
        ValueError: git does not know a commit, or a run failed.
    """
    folders = [_checked_out(base), _checked_out(new)]
    found: list[list[Results]] = [[], []]
    for turn in range(_TURNS):
        for side, folder in enumerate(folders):
            output = results / f"{folder.name}-{turn}.json"
            output.unlink(missing_ok=True)
            found[side].append(_run(folder, cases, output))
    return joined(found[0]), joined(found[1])


def _checked_out(commit: str) -> Path:
    """Unpack a commit, with `perf/` as it is here; the checkout is not touched."""
    name = _git("rev-parse", "--verify", "--short", f"{commit}^{{commit}}")
    folder = _COMMITS / name.decode().strip()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(_git("archive", folder.name))) as archive:
        archive.extractall(folder, filter="data")
    shutil.rmtree(folder / "perf", ignore_errors=True)
    shutil.copytree(ROOT / "perf", folder / "perf")
    return folder


def _git(*arguments: str) -> bytes:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.decode().strip()}")
    return done.stdout


def _run(folder: Path, cases: Sequence[str], output: Path) -> Results:
    command = [sys.executable, "-m", "perf", "run", *cases, "--quick"]
    command += ["--output", str(output)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, check=False)
    if done.returncode not in {0, 3}:
        raise ValueError(f"the run of {folder.name} ended with {done.returncode}")
    return read(output)
