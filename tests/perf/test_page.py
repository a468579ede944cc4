"""The generated part of the page, and drawings: from figures that are made up."""

from xml.etree import ElementTree as ET

import attrs
import pytest
from hypothesis import given, strategies as st

from perf_suite import load

page, charts = load("suite/page"), load("suite/charts")
flames, results = load("suite/flames"), load("suite/results")
ROW = page.Row("ask/plain", "an actor is asked", "second", 5.6e-6, 0.6, 0.05, 0.67)
SVG = "{http://www.w3.org/2000/svg}"


def test_a_row_shows_value_ratio_noise_and_verdict():
    line = page.section([ROW], "Measured.").splitlines()[-1]
    assert line == (
        "| ask/plain: an actor is asked | 5.6 us | 0.60 ± 0.03 | at most 0.67 | holds |"
    )


def test_what_falls_short_is_not_published_without_a_reason():
    short = attrs.evolve(ROW, ratio=0.9)
    with pytest.raises(page.Unexplained, match="ask/plain"):
        page.section([ROW, short], "Measured.")
    written = page.section([attrs.evolve(short, limit="Two passes.")], "Measured.")
    assert "falls short |" in written
    assert "- **ask/plain**, falls short: Two passes." in written


def test_what_limits_a_case_that_holds_is_written_too():
    written = page.section([attrs.evolve(ROW, limit="One pass.")], "Measured.")
    assert written.endswith("What limits each line:\n\n- **ask/plain**: One pass.")


def test_bytes_are_shown_as_bytes():
    row = page.Row("idle-bytes/plain", "it waits", "byte", 8960.0, 2.0, 0.0)
    assert "| 8,960 bytes | 2.00 ± 0.00 |  |  |" in page.section([row], "")


def test_only_the_generated_part_of_the_page_is_replaced():
    before = f"# Top\n{page.BEGIN}\nold\n{page.END}\nBelow\n"
    after = page.replaced(before, "new\n")
    assert after == f"# Top\n{page.BEGIN}\nnew\n{page.END}\nBelow\n"
    assert page.replaced(after, "new") == after


@pytest.mark.parametrize(
    "text", ["", page.BEGIN, page.END, f"{page.BEGIN}{page.END}" * 2]
)
def test_a_page_without_one_place_is_left_alone(text):
    with pytest.raises(ValueError, match="the page needs one line"):
        page.replaced(text, "new")


def test_a_bar_is_as_long_to_the_left_as_to_the_right_and_has_a_mark():
    rows = [
        attrs.evolve(ROW, ratio=0.5),
        attrs.evolve(ROW, name="a<b", ratio=2.0, wanted=None),
    ]
    root = ET.fromstring(charts.ratios(rows))  # made here
    (left, right) = [
        {key: float(each.get(key)) for key in ("x", "width")}
        for each in root.iter(f"{SVG}rect")
    ]
    assert left["width"] == pytest.approx(right["width"], rel=0.01)
    assert left["x"] + left["width"] == pytest.approx(right["x"], abs=0.2)
    marks = [each for each in root.iter(f"{SVG}line") if each.get("stroke") == "#222"]
    assert len(marks) == 1
    assert "a<b" in [each.text for each in root.iter(f"{SVG}text")]


def test_peers_are_dots_ten_times_is_as_far_everywhere():
    found = {"ask": {"a": [1e-6], "b": [1e-5]}, "ring": {"b": [1e-4, 1e-4, 1]}}
    root = ET.fromstring(charts.peers(found, ["a", "b"]))  # made here
    dots = [float(each.get("cx")) for each in root.iter(f"{SVG}ellipse")]
    one, ten, hundred, *legend = dots
    assert ten - one == pytest.approx(hundred - ten, abs=0.2)
    assert len(legend) == 2


@given(st.lists(st.floats(1e-9, 1e9), min_size=1))
def test_a_value_stands_inside_of_the_chart(values):
    axis = charts.Axis(values)
    assert all(150 - 1e-6 <= axis.at(value) <= 670 + 1e-6 for value in values)


def test_boxes_are_as_wide_as_their_part_of_the_samples():
    stacks = {("main", "a"): 1, ("main", "b", "c"): 2, ("main",): 1}
    assert flames.boxes(stacks) == [
        (0, 0.0, 1.0, "main"),
        (1, 0.25, 0.25, "a"),
        (1, 0.5, 0.5, "b"),
        (2, 0.5, 0.5, "c"),
    ]


STACKS = st.dictionaries(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(tuple),
    st.integers(1, 9),
    min_size=1,
)


@given(STACKS)
def test_the_bottom_boxes_fill_the_graph_and_none_is_wider_than_what_called_it(stacks):
    laid_out = flames.boxes(stacks)
    assert sum(w for depth, _, w, _ in laid_out if not depth) == pytest.approx(1)
    for depth, start, width, _ in laid_out:
        if depth:
            assert any(
                under[0] == depth - 1
                and under[1] <= start + 1e-9
                and start + width <= under[1] + under[2] + 1e-9
                for under in laid_out
            )


def test_a_flame_graph_is_well_formed_and_needs_samples():
    ET.fromstring(flames.svg("<t>", {("f<lambda> (a.py)",): 3}))
    with pytest.raises(ValueError, match="no samples"):
        flames.svg("t", {})


def test_runs_are_joined_by_their_processes():
    one, two = results.Process(1, 1, 1), results.Process(2, 1, 2)
    runs = [
        {"a": results.CaseResult("a", (one,)), "b": results.CaseResult("b", (one,))},
        {"a": results.CaseResult("a", (two,))},
    ]
    found = results.joined(runs)
    assert found["a"].ratios == [1, 2]
    assert found["b"].ratios == [1]
