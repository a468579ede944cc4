"""`python -m perf compare`: what counts as slower, and what is too noisy to say."""

import random
from statistics import median

import pytest
from hypothesis import given, strategies as st

from perf_suite import load

comparing, results = load("suite/comparing"), load("suite/results")
Verdict = comparing.Verdict
STEADY = [1.0, 1.01, 0.99, 1.005, 0.995]


def result(ratios, *, name="ask/plain", calibrations=None, lost=0.0, unit="second"):
    below = calibrations or [1e-5] * len(ratios)
    processes = tuple(
        results.Process(ratio * each, each, ratio, lost)
        for ratio, each in zip(ratios, below, strict=True)
    )
    return results.CaseResult(name, processes, unit)


def compared(base, new):
    return comparing.compare({base.name: base}, {new.name: new})


def scaled(by):
    return [ratio * by for ratio in STEADY]


@pytest.mark.parametrize(
    ("by", "verdict", "status"),
    [
        (1.0, Verdict.SAME, 0),
        (1.02, Verdict.SAME, 0),
        (1.2, Verdict.SLOWER, 1),
        (0.8, Verdict.FASTER, 0),
    ],
)
def test_a_ratio_that_moved_beyond_its_noise_is_a_change(by, verdict, status):
    found = compared(result(STEADY), result(scaled(by)))
    assert [change.verdict for change in found.changes] == [verdict]
    assert found.status == status
    assert found.changes[0].change == pytest.approx(by - 1)


def test_the_noise_of_the_case_itself_decides_what_a_change_is():
    wide = [1.0, 1.1, 0.9, 1.05, 0.95]
    slower = [ratio * 1.08 for ratio in wide]
    assert compared(result(STEADY), result(scaled(1.08))).status == 1
    assert compared(result(wide), result(slower)).status == 0


def test_a_faster_machine_changes_no_ratio():
    base = result(STEADY, calibrations=[1e-5] * 5)
    new = result(STEADY, calibrations=[3e-6] * 5)
    assert compared(base, new).status == 0


def test_cases_without_any_noise_differ_from_the_floor_on():
    alike = [2.0] * 5
    floor = comparing.FLOOR
    assert compared(result(alike), result([2 * (1 + floor * 0.9)] * 5)).status == 0
    assert compared(result(alike), result([2 * (1 + floor * 1.1)] * 5)).status == 1


@pytest.mark.parametrize("disturbed", [0, 1])
@pytest.mark.parametrize(
    "how",
    [{"lost": 0.2}, {"calibrations": [1e-5, 1.4e-5, 0.7e-5, 1.3e-5, 0.6e-5]}],
    ids=["waited", "calibration"],
)
def test_a_noisy_machine_judges_nothing(disturbed, how):
    sides = [result(STEADY), result(scaled(2))]
    sides[disturbed] = result(sides[disturbed].ratios, **how)
    found = compared(*sides)
    assert found.status == 3
    assert found.changes[0].verdict is Verdict.NOISY
    assert ("base" if disturbed == 0 else "new") in found.noise
    assert "Nothing was judged" in comparing.table(found)


def test_one_disturbed_case_of_many_is_left_out_and_the_others_are_judged():
    base = {f"c{n}": result(STEADY, name=f"c{n}") for n in range(8)}
    new = base | {
        "c0": result(scaled(2), name="c0", lost=0.3),
        "c1": result(scaled(2), name="c1"),
    }
    found = comparing.compare(base, new)
    verdicts = {change.name: change.verdict for change in found.changes}
    assert found.noise is None
    assert verdicts["c0"] is Verdict.NOISY
    assert verdicts["c1"] is Verdict.SLOWER
    assert verdicts["c2"] is Verdict.SAME
    assert found.status == 1


def test_too_few_processes_judge_nothing():
    found = compared(result(STEADY[:4]), result(scaled(2)))
    assert found.changes[0].verdict is Verdict.FEW
    assert found.status == 3


def test_a_case_of_one_run_only_is_named_and_not_judged():
    one, two = result(STEADY, name="one"), result(STEADY, name="two")
    found = comparing.compare({"one": one, "two": two}, {"one": one})
    assert [c.verdict for c in found.changes] == [Verdict.SAME, Verdict.MISSING]
    assert found.status == 0
    fewer = comparing.compare({"one": one, "two": two}, {"one": one}, only_new=True)
    assert [c.name for c in fewer.changes] == ["one"]


def test_nothing_in_common_is_not_a_success():
    one, two = result(STEADY, name="one"), result(STEADY, name="two")
    assert comparing.compare({"one": one}, {"two": two}).status == 3
    assert comparing.compare({}, {}).status == 3


def test_memory_has_no_noise_of_its_calibration():
    """Pages are shared out unevenly; that is not what a busy machine does."""
    uneven = [4e3, 6e3, 3e3, 5e3, 7e3]
    assert comparing.noise_of(result(STEADY, calibrations=uneven, unit="byte")) is None
    assert comparing.noise_of(result(STEADY, calibrations=uneven)) is not None


RATIOS = st.lists(st.floats(0.01, 100), min_size=5, max_size=20)


@given(RATIOS, st.floats(0.01, 100))
def test_the_threshold_does_not_depend_on_the_unit(ratios, by):
    scaled_up = [ratio * by for ratio in ratios]
    expected = comparing.threshold(ratios, ratios)
    assert comparing.threshold(scaled_up, scaled_up) == pytest.approx(expected)


@given(RATIOS, RATIOS)
def test_a_comparison_reversed_has_the_same_threshold(one, other):
    assert comparing.threshold(one, other) == comparing.threshold(other, one)


@given(RATIOS)
def test_a_run_is_as_fast_as_itself(ratios):
    found = comparing.compare_case(result(ratios), result(ratios))
    assert found.verdict is Verdict.SAME


def test_identical_runs_rarely_differ_by_chance():
    rng = random.Random(14)  # repeatable on purpose
    draw = lambda: [rng.gauss(1, 0.03) for _ in range(5)]  # noqa: E731  # short
    slower = sum(
        comparing.compare_case(result(draw()), result(draw())).verdict is Verdict.SLOWER
        for _ in range(2000)
    )
    assert slower < 60


def test_a_tenth_slower_is_seen_through_usual_noise():
    rng = random.Random(15)  # as above
    draw = lambda by: [by * rng.gauss(1, 0.02) for _ in range(15)]  # noqa: E731
    seen = sum(
        comparing.compare_case(result(draw(1)), result(draw(1.1))).verdict
        is Verdict.SLOWER
        for _ in range(500)
    )
    assert seen > 450


def test_a_document_of_pyperf_is_read():
    run = {
        "metadata": {
            results.RATIOS: 0.5,
            results.CALIBRATION: 2e-5,
            results.LOST: 0.01,
        },
        "values": [1e-5, 1.2e-5, 0.9e-5],
        "warmups": [[100, 2e-5]],
    }
    calibration_only = {"metadata": {}, "warmups": [[100, 2e-5]]}
    document = {
        "metadata": {"unit": "second"},
        "benchmarks": [
            {"metadata": {"name": "ask/plain"}, "runs": [calibration_only, run]}
        ],
        "version": "1.0",
    }
    (found,) = results.parse(document).values()
    assert found == results.CaseResult(
        "ask/plain", (results.Process(1e-5, 2e-5, 0.5, 0.01),)
    )


def test_a_document_of_another_program_is_refused():
    runs = [{"metadata": {}, "values": [1.0]}]
    document = {"benchmarks": [{"metadata": {"name": "x"}, "runs": runs}]}
    with pytest.raises(ValueError, match="x: no ratio to a calibration case"):
        results.parse(document)


def test_notes_are_grouped_by_process_without_warmups():
    notes = [
        results.Note(pid, 1.0, ratio, 0.0)
        for pid, ratios in ((7, [9, 1, 2, 3]), (3, [9, 5, 5, 6]))
        for ratio in ratios
    ]
    found = results.by_process(notes, warmups=1)
    assert [each[results.RATIOS] for each in found] == [median([1, 2, 3]), 5]
