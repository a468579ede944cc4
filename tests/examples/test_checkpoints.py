"""The example of checkpoints: one crash keeps the count, two in a row do not."""

import sys
from pathlib import Path

from pace import finished, without_progress

ROOT = Path(__file__).resolve().parents[2]
WANTED = ["b'1'", "b'2'", "the first crash", "b'3'", "the second crash", "b'1'"]


def test_the_example_continues_once():
    done = finished(
        [sys.executable, "examples/checkpoints.py"], cwd=ROOT, encoding="utf-8"
    )
    assert without_progress(done.stderr) == ""
    assert done.stdout.split("\n")[:-1] == WANTED
    assert done.returncode == 0
