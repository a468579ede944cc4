"""When a checkpoint is due, and that no bad state comes back for ever."""

import math

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import CheckpointEvery
from airssys.nursery.restarts import CheckpointClock, CheckpointUse

HISTORY = st.lists(st.sampled_from(["take", "crash", "stop"]), max_size=30)


@given(HISTORY)
def test_no_checkpoint_is_used_twice_after_crashes(history):
    use, uses, number = CheckpointUse().after_starting(), {}, 0
    for event in history:
        if event == "take":
            number += 1
            uses[number] = 0
            use = use.after_taking()
            continue
        if event == "stop":
            use = use.after_ending_well()
            uses[number] = 0
        if use.may_be_used:
            assert number  # nothing is used that was not taken
            uses[number] += 1
            assert uses[number] == 1
        use = use.after_starting()


@given(HISTORY)
def test_a_crash_straight_after_a_restore_is_followed_by_a_start_from_scratch(history):
    use = CheckpointUse().after_starting()
    for event in history:
        if event == "take":
            use = use.after_taking()
            assert use.may_be_used
        elif event == "stop":
            use = use.after_ending_well()
        else:
            began_from_one = use.is_used
            use = use.after_starting()
            if began_from_one:
                assert use == CheckpointUse()


def test_a_checkpoint_that_was_given_up_does_not_come_back():
    use = CheckpointUse().after_taking().after_starting().after_starting()
    assert use.after_ending_well() == CheckpointUse()
    assert not use.after_ending_well().may_be_used


@pytest.mark.parametrize(
    ("every", "handled", "due_at"),
    [
        (CheckpointEvery(seconds=5.0), 10, math.inf),
        (CheckpointEvery(seconds=5.0), 11, 105.0),
        (CheckpointEvery(messages=3), 12, math.inf),
        (CheckpointEvery(messages=3), 13, -math.inf),
        (CheckpointEvery(seconds=5.0, messages=3), 12, 105.0),
        (CheckpointEvery(seconds=5.0, messages=3), 13, -math.inf),
        (CheckpointEvery(seconds=5.0, messages=3), 10, math.inf),
    ],
)
def test_when_one_is_due(every, handled, due_at):
    assert CheckpointClock(every, 100.0, 10).due_at(handled) == due_at
