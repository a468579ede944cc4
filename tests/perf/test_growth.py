"""`python -m perf scale`: what is flat and what grows, from figures that are made up."""

import pytest
from hypothesis import given, strategies as st

from perf_suite import load

steps = load("growth/steps")


def grown(by, each=1e-5, figure="open"):
    return {
        10: {figure: 9.0},
        100: {figure: each},
        330: {figure: each * 9},
        1000: {figure: each * by},
    }


@pytest.mark.parametrize(
    ("by", "word"), [(0.5, "flat"), (1.0, "flat"), (1.49, "flat"), (1.51, "grows")]
)
def test_the_whole_is_compared_with_a_tenth(by, word):
    assert steps.verdict(grown(by), "open") == f"{by:.2f} x, {word}"
    wanted = ["actors: open"] if word == "grows" else []
    assert steps.unflat({"actors": grown(by)}) == wanted


@pytest.mark.parametrize(("figure", "each"), [("open", 1e-9), ("bytes when idle", 0.4)])
def test_what_is_too_small_to_be_seen_is_not_judged(figure, each):
    assert steps.verdict(grown(9, each, figure), figure) == "nothing to see"


def test_one_size_alone_is_not_judged():
    assert steps.verdict({10: {"open": 1.0}}, "open") == "nothing to see"


@given(st.integers(1, 10**7))
def test_sizes_rise_to_the_largest_and_none_is_empty(most):
    sizes = steps.sizes(most)
    assert sizes == sorted(set(sizes))
    assert sizes[0] >= 1
    assert sizes[-1] == most


def test_figures_are_kept_and_read_by_their_names():
    found = {"actors": {1: {"open": 1e-5, "bytes when idle": 9e3}, 2: {"open": 2e-5}}}
    kept = list(steps.benchmarks(found))
    assert ("actors@1@bytes when idle", "byte", 9e3) in kept
    benchmarks = [
        {"metadata": {"name": name, "unit": unit}, "runs": [{"values": [value]}]}
        for name, unit, value in kept
    ]
    assert steps.parse({"benchmarks": benchmarks}) == found


def test_each_population_has_a_table_with_units():
    table = steps.markdown({"actors": {1: {"open": 2e-3}, 9: {"open": 5e-6}}})
    assert table.splitlines() == [
        "| each of the actors | 1 | 9 | whole / tenth |",
        "| --- | --- | --- | --- |",
        "| open | 2 ms | 5 us | 0.00 x, flat |",
    ]
