"""Handles keep a resource alive as long as it may be used, and no longer.

A state machine gives, lends and drops at random and compares with books of its own: who
owns what, and what is lent to which call. Each refusal is named.
"""

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
)

from airssys.wasm.lane.abi import (
    CallScope,
    ComponentState,
    Entry,
    Rule,
    RuleBroken,
    drop,
    leave,
    lift_borrow,
    lift_own,
    lower_borrow,
    lower_own,
)


def broken(which, act, *arguments):
    with pytest.raises(RuleBroken) as caught:
        act(*arguments)
    assert caught.value.rule is which


@pytest.fixture
def state():
    return ComponentState(None)


def test_what_is_given_and_taken_back_is_the_same(state):
    number = lower_own(state, 7, "file")
    assert number == 1
    assert lift_own(state, number, "file") == 7
    assert len(state) == 0


@pytest.mark.parametrize("number", [0, 2, 2**32 - 1])
def test_handles_that_are_none(state, number):
    lower_own(state, 7, "file")
    for act in (lift_own, drop):
        broken(Rule.HANDLE_KNOWN, act, state, number, "file")
    broken(Rule.HANDLE_KNOWN, lift_borrow, state, number, "file", CallScope())


def test_a_handle_of_something_else(state):
    number = lower_own(state, 7, "file")
    for act in (lift_own, drop):
        broken(Rule.HANDLE_OF_RIGHT_TYPE, act, state, number, "socket")


def test_what_is_lent_is_neither_given_away_nor_dropped(state):
    number, scope = lower_own(state, 7, "file"), CallScope()
    assert lift_borrow(state, number, "file", scope) == 7
    broken(Rule.HANDLE_NOT_LENT, lift_own, state, number, "file")
    broken(Rule.HANDLE_NOT_LENT, drop, state, number, "file")
    scope.end()
    assert drop(state, number, "file") == 7


def test_what_is_borrowed_is_not_given_away_and_is_returned(state):
    scope = CallScope()
    number = lower_borrow(state, 7, "file", scope)
    broken(Rule.HANDLE_OWNED, lift_own, state, number, "file")
    broken(Rule.BORROWS_RETURNED, scope.end)
    assert drop(state, number, "file") is None
    scope.end()


def test_a_full_table():
    state = ComponentState(None, most=3)
    for _ in range(2):
        lower_own(state, 1, "file")
    broken(Rule.TABLE_HAS_ROOM, lower_own, state, 1, "file")
    drop(state, 1, "file")
    assert lower_own(state, 2, "file") == 1


def test_an_instance_is_entered_once_with_all_that_is_around_it():
    outer = ComponentState(None)
    first, second = ComponentState(outer), ComponentState(outer)
    entered = first.enter(None)
    broken(Rule.MAY_ENTER, first.enter, None)
    broken(Rule.MAY_ENTER, second.enter, None)
    inside = second.enter(first)  # from a sibling: what is around both is not entered
    broken(Rule.MAY_ENTER, first.enter, second)
    leave(inside)
    leave(entered)
    assert len(second.enter(None)) == 2


def test_an_instance_that_may_not_leave(state):
    state.check_may_leave()
    state.may_leave = False
    broken(Rule.MAY_LEAVE, state.check_may_leave)


class Handles(RuleBasedStateMachine):
    """Two instances give each other things and lend them to calls."""

    handles = Bundle("handles")
    scopes = Bundle("scopes")

    def __init__(self):
        super().__init__()
        self.states = [ComponentState(None), ComponentState(None)]
        self.owned = [{}, {}]
        self.lent = {}
        self.given = 0

    @rule(target=handles, which=st.sampled_from([0, 1]))
    def give(self, which):
        self.given += 1
        number = lower_own(self.states[which], self.given, "thing")
        assert number not in self.owned[which]
        self.owned[which][number] = self.given
        return which, number

    @rule(target=handles, handle=handles)
    def hand_on(self, handle):
        which, number = handle
        if not self.takes(handle, lift_own):
            return handle
        thing = self.owned[which].pop(number)
        other = lower_own(self.states[1 - which], thing, "thing")
        self.owned[1 - which][other] = thing
        return 1 - which, other

    @rule(handle=handles)
    def let_go(self, handle):
        if self.takes(handle, drop):
            self.owned[handle[0]].pop(handle[1])

    def takes(self, handle, act):
        """Try to take a handle away; says whether the books allow it."""
        which, number = handle
        thing = self.owned[which].get(number)
        if thing is None:
            broken(Rule.HANDLE_KNOWN, act, self.states[which], number, "thing")
        elif any(thing in things for things in self.lent.values()):
            broken(Rule.HANDLE_NOT_LENT, act, self.states[which], number, "thing")
        else:
            assert act(self.states[which], number, "thing") == thing
            return True
        return False

    @rule(target=scopes)
    def begin(self):
        scope = CallScope()
        self.lent[scope] = []
        return scope

    @rule(handle=handles, scope=scopes)
    def lend(self, handle, scope):
        which, number = handle
        if scope in self.lent and number in self.owned[which]:
            thing = lift_borrow(self.states[which], number, "thing", scope)
            assert thing == self.owned[which][number]
            self.lent[scope].append(thing)

    @rule(scope=consumes(scopes))
    def end(self, scope):
        scope.end()
        del self.lent[scope]

    @invariant()
    def the_tables_hold_what_is_owned(self):
        for state, owned in zip(self.states, self.owned, strict=True):
            assert len(state) == len(owned)
            found = sorted(entry.representation for entry in state)
            assert found == sorted(owned.values())
            assert all(isinstance(entry, Entry) for entry in state)


TestHandles = Handles.TestCase
TestHandles.settings = settings(max_examples=50, stateful_step_count=40)
