"""The order of children after their specifications were changed (rule 56)."""

from hypothesis import given, strategies as st

from airssys.nursery._spec_change import merged_order

NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(NAMES, NAMES)
def test_the_wanted_come_first_and_the_others_stay_behind_them(before, wanted):
    order = merged_order(iter(before), iter(wanted))
    assert order[: len(wanted)] == tuple(wanted)
    assert order[len(wanted) :] == tuple(n for n in before if n not in wanted)
