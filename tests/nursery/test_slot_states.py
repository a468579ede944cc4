"""The table of a child's states, by itself; that supervisors keep to it, all tests show."""

import re

import attrs
import pytest
from hypothesis import given, strategies as st

from airssys.contracts import InternalError, Presence
from airssys.nursery import Declared
from airssys.nursery.children import (
    PRESENCES,
    SLOT_MOVES,
    Slot,
    SlotState,
    SlotStep,
    _slot_states,
)

from .stage import ScriptedCell, Stage, worker

SHOWN = {state.name.lower(): state for state in SlotState}
OCCUPIED = {
    SlotState.STARTING,
    SlotState.RUNNING,
    SlotState.RESTARTING,
    SlotState.STOPPING,
}
"""The states in which there is a child whose end was not served."""


def make_slot():
    declared = Declared(worker("a"))
    return Slot(declared, ScriptedCell(declared, Stage()))


def test_the_table_that_is_shown_is_the_table_that_is_used():
    rows = re.findall(r"^\| (.*) \|$", _slot_states.__doc__, re.MULTILINE)
    (_, *states), *rows = [[cell.strip() for cell in row.split("|")] for row in rows]
    shown = {
        (SHOWN[state], SlotStep(step)): SHOWN[cell]
        for step, *cells in rows
        for state, cell in zip(states, cells, strict=True)
        if cell
    }
    assert shown == SLOT_MOVES


def reach(state):
    """Return a slot in this state, by the shortest way there."""
    ways = {SlotState.UNSTARTED: ()}
    while state not in ways:
        for (before, step), after in SLOT_MOVES.items():
            if before in ways:
                ways.setdefault(after, (*ways[before], step))
    slot = make_slot()
    for step in ways[state]:
        slot.move(step)
    assert slot.state is state
    return slot


@pytest.mark.parametrize("state", SlotState)
@pytest.mark.parametrize("step", SlotStep)
def test_a_step_leads_where_the_table_says_or_is_one_clear_error(state, step):
    slot = reach(state)
    if (state, step) in SLOT_MOVES:
        slot.move(step)
        assert slot.state is SLOT_MOVES[state, step]
        return
    with pytest.raises(InternalError) as caught:
        slot.move(step)
    text = f"the child local/a/0 is in the state {state.value!r}, in which the step "
    assert str(caught.value).startswith(f"{text}{step.value!r} is not possible")
    assert slot.state is state


def test_nothing_but_a_step_changes_a_state():
    with pytest.raises(AttributeError):
        make_slot().state = SlotState.RUNNING
    assert not any(field.init for field in attrs.fields(Slot) if "state" in field.name)


@given(st.lists(st.sampled_from(SlotStep), max_size=20))
def test_a_child_is_never_started_twice_and_is_ready_once_for_each_start(steps):
    slot, starts, readies, ends = make_slot(), 0, 0, 0
    for step in steps:
        before = slot.state
        if (before, step) not in SLOT_MOVES:
            continue
        slot.move(step)
        starts += step in {SlotStep.START, SlotStep.START_AGAIN}
        readies += step is SlotStep.READY
        ends += before in OCCUPIED and slot.state not in OCCUPIED
        assert starts - ends == (slot.state in OCCUPIED)
        assert readies <= starts


def test_every_state_can_be_reached_and_left_for_good():
    for state in SlotState:
        reach(state).move(SlotStep.RETIRE)


def test_what_is_reported_of_a_state_fits_the_steps_that_it_allows():
    assert set(PRESENCES) == set(SlotState)
    for state, presence in PRESENCES.items():
        may_stop = (state, SlotStep.STOP) in SLOT_MOVES
        may_start = (state, SlotStep.START) in SLOT_MOVES
        assert may_stop is (state in OCCUPIED)
        assert may_start is not may_stop
        assert (presence is Presence.RUNNING) <= may_stop
