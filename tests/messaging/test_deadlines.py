"""The heap of deadlines against a sorted list."""

import math

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airssys.messaging.requests._deadlines import Deadlines

items = st.integers(0, 4)
times = st.sampled_from([0.0, 1.0, 1.5, 2.0, 7.0, math.inf])


class AgainstSortedList(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.deadlines = Deadlines()
        self.model = {}

    @rule(item=items, deadline=times)
    def add(self, item, deadline):
        if item not in self.model:
            self.deadlines.add(item, deadline)
            self.model[item] = deadline

    @rule(item=items)
    def discard(self, item):
        self.deadlines.discard(item)
        self.model.pop(item, None)

    @rule(now=st.sampled_from([-1.0, 0.0, 1.0, 1.7, 7.0]))
    def pop_due(self, now):
        due = [item for item, deadline in self.model.items() if deadline <= now]
        due.sort(key=self.model.__getitem__)
        assert self.deadlines.pop_due(now) == due
        for item in due:
            del self.model[item]

    @rule()
    def look_at_the_earliest(self):
        assert self.deadlines.earliest() == min(self.model.values(), default=math.inf)

    @invariant()
    def same_items(self):
        assert list(self.deadlines) == list(self.model)
        assert len(self.deadlines) == len(self.model)


TestAgainstSortedList = AgainstSortedList.TestCase
TestAgainstSortedList.settings = settings(deadline=None)


def test_memory_is_bounded_by_what_is_pending():
    deadlines = Deadlines()
    for item in range(500):
        deadlines.add(item, 5.0)
    for item in range(500, 20_000):
        deadlines.add(item, 10.0)
        deadlines.discard(item)
    assert len(deadlines._heap) <= 2 * 500 + 1000
    assert deadlines.pop_due(5.0) == list(range(500))
    assert deadlines.earliest() == math.inf


def test_a_sweep_leaves_everything_that_is_pending():
    deadlines = Deadlines()
    for item in range(3000):
        deadlines.add(item, float(-item))
    for item in range(0, 3000, 2):
        deadlines.discard(item)
    for item in range(3000, 6000):
        deadlines.add(item, float(-item))
    expected = [*range(5999, 2999, -1), *range(2999, 0, -2)]
    assert deadlines.pop_due(0.0) == expected


def test_infinite_deadlines_take_no_room_in_the_heap():
    deadlines = Deadlines()
    deadlines.add("patient", math.inf)
    assert not deadlines._heap
    assert list(deadlines) == ["patient"]
