"""`python -m perf peers`: the verdict on each line, from times that are made up."""

import pytest
from hypothesis import given, strategies as st

from perf_suite import load

standing = load("peers/standing")
TRIO = [10e-6, 10.1e-6, 9.9e-6]
NOISY = [10e-6, 14e-6, 6e-6]


def times(by):
    return [each * by for each in TRIO]


def lines(found, wanted=None):
    return standing.standing(found, ("ours",), "trio", wanted or {})


@pytest.mark.parametrize(
    ("by", "word", "status"),
    [(0.4, "holds", 0), (0.5, "holds", 0), (0.6, "falls short", 1)],
)
def test_a_line_is_judged_by_what_is_wanted(by, word, status):
    found = {"ask": {"ours": times(by), "trio": TRIO}}
    (line,) = judged = lines(found, {("ask", "ours"): 0.5 + 1e-9})
    assert line.verdict.startswith(f"{word}: {by:.2f} x, wanted at most 0.50 x")
    assert standing.status(judged) == status


def test_peers_that_are_faster_are_named_the_fastest_first():
    peers = {"ours": times(1), "trio": TRIO}
    peers |= {"slow": times(2), "fast": times(0.5), "fastest": times(0.1)}
    (line,) = lines({"ask": peers})
    assert line.verdict == "nothing wanted; faster: fastest 10.0 x, fast 2.0 x"


def test_nothing_is_judged_where_plain_trio_was_disturbed():
    found = {f"c{n}": {"ours": times(9), "trio": TRIO} for n in range(4)}
    found["c0"]["trio"] = NOISY
    judged = lines(found, {(case, "ours"): 1.0 for case in found})
    assert [line.holds for line in judged] == [None, False, False, False]
    assert "the machine is noisy" in judged[0].verdict


def test_nothing_at_all_is_judged_on_a_noisy_machine():
    found = {f"c{n}": {"ours": times(9), "trio": TRIO} for n in range(4)}
    found["c0"]["trio"] = found["c1"]["trio"] = NOISY
    judged = lines(found, {(case, "ours"): 1.0 for case in found})
    assert {line.holds for line in judged} == {None}
    assert standing.status(judged) == 3


def test_a_case_that_ours_or_trio_lacks_has_no_line():
    found = {"only-peers": {"fast": TRIO}, "not-ours": {"trio": TRIO}}
    assert lines(found) == []
    assert standing.status([]) == 3


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.117e-6, "0.117"), (12.84e-6, "12.8"), (368e-6, "368"), (1.0221e-3, "1,022")],
)
def test_times_have_three_digits(seconds, shown):
    assert standing.microseconds(seconds) == shown


def test_the_table_leaves_out_who_has_nothing_and_keeps_gaps():
    found = {"ask": {"a": [1e-6], "b": [2e-6]}, "ring": {"b": [3e-6]}}
    assert standing.markdown(found, ["a", "b", "absent"]).splitlines() == [
        "| us | a | b |",
        "| --- | --- | --- |",
        "| ask | 1.00 | 2.00 |",
        "| ring |  | 3.00 |",
    ]


def test_each_line_has_its_verdict_in_the_table():
    found = {"ask": {"ours": times(2), "trio": TRIO, "fast": TRIO}}
    wanted = {("ask", "ours"): 1.5}
    verdict = "falls short: 2.00 x, wanted at most 1.50 x; faster: fast 2.0 x"
    table = standing.verdicts(lines(found, wanted)).splitlines()
    assert table[2:] == [f"| ask | ours | 2.00 x | {verdict} |"]


@given(st.lists(st.floats(1e-7, 1e-2), min_size=1, max_size=9), st.floats(0.1, 10))
def test_rounds_in_which_all_are_slower_change_no_ratio(rounds, by):
    slowed = [each * by for each in rounds]
    assert standing.by_round(slowed, rounds) == pytest.approx(by)


def test_what_pyperf_kept_is_read():
    runs = lambda *values: [{"metadata": {}, "values": values}]  # noqa: E731  # short
    document = {
        "metadata": {"unit": "second"},
        "benchmarks": [
            {"metadata": {"name": "ask@Pykka"}, "runs": runs(1.0, 2.0)},
            {"metadata": {"name": "ask@Erlang"}, "runs": runs(3.0)},
        ],
    }
    assert standing.parse(document) == {"ask": {"Pykka": [1.0, 2.0], "Erlang": [3.0]}}
