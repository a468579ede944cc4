"""Whatever a file contains, it is loaded or refused; the process keeps running."""

import json
import sys
from pathlib import Path

import pytest

from pace import finished

PROGRAM = Path(__file__).with_name("fuzz_loader.py")


@pytest.mark.parametrize(
    ("inputs", "seed"),
    [(200, 1), *(pytest.param(3000, n, marks=pytest.mark.slow) for n in (2, 3, 4))],
)
def test_mutated_components_are_loaded_or_refused(tmp_path, inputs, seed):
    """In a process of its own, so that a crash is seen."""
    last = tmp_path / "last.wasm"
    done = finished(
        [sys.executable, str(PROGRAM), str(last), str(inputs), str(seed)], seconds=115
    )
    assert done.returncode == 0, (last.read_bytes().hex(), done.stderr)
    found = json.loads(done.stdout)
    assert found["loaded"] + found["refused"] == inputs
    assert found["loaded"] > inputs / 50, "too little is well-formed to tell"
    assert found["refused"] > inputs / 4, "too little is malformed to tell"
