"""One operation takes as long among many as among few, whatever it is done to."""

import importlib.util
from pathlib import Path

import pytest

_FILE = Path(__file__).parents[2] / "perf/measuring/scales.py"
_SPEC = importlib.util.spec_from_file_location("scales", _FILE)
scales = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(scales)

FEW, MANY = 100, 20_000
SEVERAL = 20
"""Caches that miss, log n, and a busy machine; in proportion it would be 200."""


@pytest.mark.unmeasured
@pytest.mark.parametrize("case", scales.CASES, ids=lambda case: case.__name__)
def test_what_is_there_does_not_matter(case):
    few = scales.cost(case, FEW, rounds=10)
    assert scales.cost(case, MANY, rounds=10) < SEVERAL * few
