"""Questions about values of any type, none of which may raise."""

import math

import pytest
from hypothesis import given, strategies as st

from airssys.contracts.values._checking import (
    is_callable,
    is_count,
    is_kind,
    is_number,
    is_text,
    is_time,
    shown,
)

anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.lists(st.integers()),
    st.just(10**5000),
)


class Shy:
    def __repr__(self):
        raise ValueError("no")


@given(anything)
def test_any_value_is_answered(value):
    for answer in (
        is_kind(value, int),
        is_callable(value),
        is_count(value, at_least=0),
        is_number(value, 0, 1, whole=False),
        is_text(value),
        is_time(value, allow_infinity=True),
    ):
        assert isinstance(answer, bool)
    assert 0 < len(shown(value)) <= 80


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        (3, "3"),
        (None, "None"),
        ([1, 2], "[1, 2]"),
    ],
)
def test_short_values_are_shown_whole(value, text):
    assert shown(value) == text


@pytest.mark.parametrize("value", [Shy(), [Shy()], {1: Shy()}], ids=range(3))
def test_what_cannot_be_shown_is_named_by_its_type(value):
    assert "Shy" in shown(value)


def test_long_values_are_cut():
    assert shown("x" * 1000).startswith("'xxx")
    assert "x" * 30 in shown("x" * 1000)
    assert len(shown(["x" * 100] * 100)) == 80
    assert shown(["x" * 100] * 100).endswith("…")


def test_a_value_inside_itself_is_shown():
    inside = []
    inside.append(inside)
    assert len(shown(inside)) <= 80


@given(st.floats() | st.integers())
def test_a_time_is_a_number_of_seconds(value):
    is_good = not math.isnan(value) and value > 0
    assert is_time(value, allow_infinity=True) == is_good
    assert is_time(value, allow_infinity=False) == (is_good and value != math.inf)
    zero_too = is_time(value, allow_infinity=True, allow_zero=True)
    assert zero_too == (is_good or value == 0)


@given(st.integers(), st.integers())
def test_a_count_begins_somewhere(value, least):
    assert is_count(value, at_least=least) == (value >= least)
    assert not is_count(float(least + 1), at_least=least)
    assert not is_count(True, at_least=0)
