"""The table of an actor's life, by itself; that real runs follow it is in tests/system."""

import re
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    MOVES,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
    ComponentId,
    Event,
    ExitKind,
    ExitReason,
    InternalError,
    LifeState,
    LifeStep,
    Logged,
    LogLevel,
    follow,
    next_state,
    step_of,
)
from airssys.contracts.events import _lifecycle

REASON = ExitReason(ExitKind.NORMAL)


def exited(*, asked, restarting):
    return ChildExited("root", "a", REASON, asked, restarting)


EVENTS = {
    LifeStep.STARTED: ChildStarted("root", "a", 0),
    LifeStep.START_FAILED: ChildStartFailed("root", "a", REASON),
    LifeStep.START_FAILED_AGAIN: ChildStartFailed("root", "a", REASON, restarting=True),
    LifeStep.ENDED: exited(asked=False, restarting=False),
    LifeStep.ENDED_AGAIN: exited(asked=False, restarting=True),
    LifeStep.STOPPED: exited(asked=True, restarting=False),
    LifeStep.STOPPED_AGAIN: exited(asked=True, restarting=True),
    LifeStep.UNSTOPPED: ChildUnstopped("root", "a", 1.0),
}
LOGGED = Logged(ComponentId.parse("a"), LogLevel.INFO, "hello", ())


def test_the_table_that_is_shown_is_the_table_that_is_used():
    rows = re.findall(r"^\| (.*) \|$", _lifecycle.__doc__, re.MULTILINE)
    (_, *states), *rows = [[cell.strip() for cell in row.split("|")] for row in rows]
    shown = {
        (LifeState(state), LifeStep(step)): LifeState(cell)
        for step, *cells in rows
        for state, cell in zip(states, cells, strict=True)
        if cell
    }
    assert shown == MOVES


@pytest.mark.parametrize("step", LifeStep)
def test_each_step_is_one_kind_of_event(step):
    assert step_of(EVENTS[step]) is step


@pytest.mark.parametrize("state", LifeState)
@pytest.mark.parametrize("step", LifeStep)
def test_an_event_moves_a_child_as_the_table_says_or_cannot_be(state, step):
    event = EVENTS[step]
    if (state, step) in MOVES:
        assert next_state(state, event) is MOVES[state, step]
    else:
        with pytest.raises(
            InternalError, match=f"{step.value}.* cannot .*{state.value}"
        ):
            next_state(state, event)


@pytest.mark.parametrize("state", LifeState)
def test_what_an_actor_does_moves_nothing(state):
    assert step_of(LOGGED) is None
    assert next_state(state, LOGGED) is state


def test_each_state_can_be_reached_and_left():
    reached = {LifeState.ABSENT}
    for _ in LifeState:
        reached |= {MOVES[move] for move in MOVES if move[0] in reached}
    assert reached == set(LifeState)
    assert all(MOVES[state, LifeStep.STOPPED] is LifeState.ABSENT for state in reached)


@given(st.lists(st.sampled_from(LifeStep), max_size=12))
def test_there_is_never_more_than_one_incarnation(steps):
    alive, state = 0, LifeState.ABSENT
    for step in steps:
        if (state, step) not in MOVES:
            return
        before, state = state, MOVES[state, step]
        match step:
            case LifeStep.STARTED:
                alive += 1
            case LifeStep.UNSTOPPED:
                alive = 1
            case _ if before in {LifeState.RUNNING, LifeState.UNSTOPPED}:
                alive -= 1
        assert alive == (state in {LifeState.RUNNING, LifeState.UNSTOPPED})


def test_following_keeps_children_of_different_supervisors_apart():
    here, there = ChildStarted("root", "a", 0), ChildStarted("root/s", "a", 0)
    left = follow([here, LOGGED, there, EVENTS[LifeStep.ENDED_AGAIN]])
    assert left == {
        ("root", "a"): LifeState.RESTARTING,
        ("root/s", "a"): LifeState.RUNNING,
    }
    with pytest.raises(InternalError):
        follow([here, here])


def test_events_of_a_child_say_whether_it_is_an_actor():
    assert ChildStarted("root", "local/a/0", 0).actor == ComponentId.parse("a")
    assert all(event.actor is None for event in EVENTS.values())


# -- the page that describes all this

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/events.md"


def test_the_page_shows_the_same_table_and_each_event():
    rows = re.findall(r"^\| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    cells = [[cell.strip(" `") for cell in row.split("|")] for row in rows]
    (_, *states), *steps = [row for row in cells if len(row) == 5]
    shown = {
        (LifeState(state), LifeStep(step)): LifeState(cell)
        for step, *row in steps
        for state, cell in zip(states, row, strict=True)
        if cell
    }
    assert shown == MOVES
    documented = {row[0] for row in cells if len(row) == 3}
    assert documented == {"event"} | {event.__name__ for event in Event.__args__}
