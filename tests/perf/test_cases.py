"""Each case and population of the suite does what it says, a few times: none is out of date."""

import importlib
import sys
from pathlib import Path

import pytest
import trio

from perf_suite import ROOT, load

BOUNDS = load("suite/bounds").WANTED
NAMES = sorted({*BOUNDS, "ask/component", "tell/component"})
POPULATIONS = ("actors", "components", "messages", "pooled", "topics")
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from /proc"
)


@pytest.fixture
def suite(monkeypatch):
    """Import a module of the suite, and of what it shares with the programs in perf/."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT), str(ROOT / "perf")])
    return lambda name: importlib.import_module(f"perf.{name}")


@pytest.mark.parametrize("name", [each for each in NAMES if "bytes" not in each])
def test_a_case_can_be_measured(suite, name):
    value = suite("suite.timing").measure(suite("suite.cases").CASES[name], 10)
    assert value.case > 0
    assert value.calibration > 0
    assert value.ratio > 0
    assert 0 <= value.lost <= 1


@pytest.mark.parametrize("name", [each for each in NAMES if "bytes" in each])
def test_a_case_of_memory_can_be_measured(suite, name):
    """Its figures need a process of their own: this one has memory to use again."""
    case = suite("suite.cases").CASES[name]

    async def grow(opening):
        async with opening() as measured:
            return await measured(10)

    for opening in (case.open, case.calibration[1]):
        assert trio.run(grow, opening) % 1024 == 0


def test_all_cases_are_tried(suite):
    assert suite("suite.cases").CASES.keys() == set(NAMES)


def test_each_bound_belongs_to_a_case(suite):
    cases = suite("suite.cases").CASES.values()
    assert {each.name: each.wanted for each in cases if each.wanted} == BOUNDS


@pytest.mark.parametrize("name", POPULATIONS)
def test_a_population_can_be_measured(suite, name):
    populations = suite("growth.populations").POPULATIONS
    assert populations.keys() == set(POPULATIONS)
    figures = trio.run(populations[name][1], 10)
    times = [v for each, v in figures.items() if not each.startswith("bytes")]
    assert len(times) < len(figures)
    assert min(times) >= 0
