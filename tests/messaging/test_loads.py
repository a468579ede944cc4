"""The member with least to do, compared with what comparing all of them finds."""

import pytest
from hypothesis import given, strategies as st

from airssys.messaging.pools._loads import Loads

members = st.sampled_from("abcde")
changes = st.one_of(
    st.tuples(st.just("set"), members, st.integers(0, 5)),
    st.tuples(st.just("remove"), members, st.just(0)),
)


def test_of_no_members_none_has_least_to_do():
    with pytest.raises(LookupError):
        Loads().least()


@given(st.lists(changes, max_size=60))
def test_it_is_what_comparing_all_would_find(steps):
    loads, model = Loads(), {}
    for step, member, load in steps:
        if step == "set":
            loads.set(member, load)
            model[member] = load
        else:
            loads.remove(member)
            model.pop(member, None)
        assert len(loads) == len(model)
        assert loads.total == sum(model.values())
        assert loads.of(member) == model.get(member, 0)
        if model:
            assert model[loads.least()] == min(model.values())


def test_those_with_equal_loads_take_turns():
    loads = Loads()
    for member in "abc":
        loads.set(member, 0)
    chosen = []
    for _ in range(6):
        least = loads.least()
        chosen.append(least)
        loads.set(least, 1)
        loads.set(least, 0)
    assert chosen == list("abcabc")


def steps_of(size):
    """Count the members that finding the least of many inspects."""
    loads = Loads()
    looked_at = []

    class Member:
        def __hash__(self):
            looked_at.append(self)
            return id(self)

    members = [Member() for _ in range(size)]
    for member in members:
        loads.set(member, 3)
    looked_at.clear()
    for _ in range(50):
        loads.set(loads.least(), 4)
    return len(looked_at)


def test_the_cost_does_not_grow_with_the_number_of_members():
    assert steps_of(1000) == steps_of(60)
