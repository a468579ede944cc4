"""The tour of supervision prints its trees and events as they are written down here."""

import os
import sys
from pathlib import Path

from pace import finished, without_progress

ROOT = Path(__file__).resolve().parents[2]


def test_the_tour_prints_what_it_should():
    done = finished(
        [sys.executable, "examples/supervision_tour.py"],
        cwd=ROOT,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    assert without_progress(done.stderr) == ""
    wanted = Path(__file__).with_name("supervision_tour.txt").read_text("utf-8")
    assert done.stdout.splitlines() == wanted.splitlines()
    assert done.returncode == 0
