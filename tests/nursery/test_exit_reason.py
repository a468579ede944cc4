"""How a task ended, and what that makes of its actor."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    CapacityReached,
    ExitKind,
    ExitReason,
    GuestTrapped,
    Offence,
    StartFailed,
    TrapReason,
)
from airssys.nursery._exit_reason import (
    MAX_DETAIL,
    GaveUp,
    Stop,
    describe,
    exit_reason,
    find_escapee,
    offences_behind,
)

OFFENCE = Offence("root", "child", 4, 60.0, "crash")
TRAP = GuestTrapped(TrapReason.UNREACHABLE, "handle-message", "unreachable")
REFUSED = ExitReason(ExitKind.REFUSED, CapacityReached("maps"))
BOOLS = st.booleans()
EXITS = (KeyboardInterrupt, SystemExit, GeneratorExit)


def judge(error, *, asked=False, killed=False, ready=True):
    return exit_reason(error, asked=asked, killed=killed, ready=ready)


@pytest.mark.parametrize(
    ("error", "facts", "kind"),
    [
        (None, {}, ExitKind.NORMAL),
        (None, {"asked": True}, ExitKind.SHUTDOWN),
        (None, {"asked": True, "killed": True}, ExitKind.KILLED),
        (Stop("stopped itself"), {}, ExitKind.SHUTDOWN),
        (GaveUp([OFFENCE]), {}, ExitKind.SHUTDOWN),
        (ValueError("x"), {}, ExitKind.CRASH),
        (ValueError("x"), {"asked": True}, ExitKind.CRASH),
        (ValueError("x"), {"asked": True, "killed": True}, ExitKind.CRASH),
        (TRAP, {}, ExitKind.CRASH),
        (CapacityReached("maps"), {"ready": False}, ExitKind.REFUSED),
        (CapacityReached("maps"), {"ready": True}, ExitKind.CRASH),
        (StartFailed("root", "child", REFUSED), {"ready": False}, ExitKind.REFUSED),
        (
            StartFailed("root", "c", ExitReason(ExitKind.CRASH)),
            {"ready": False},
            ExitKind.SHUTDOWN,
        ),
        (ExceptionGroup("g", [ExceptionGroup("h", [TRAP])]), {}, ExitKind.CRASH),
        (ExceptionGroup("g", [Stop("x")]), {}, ExitKind.SHUTDOWN),
        (ExceptionGroup("g", [Stop("x"), ValueError()]), {}, ExitKind.CRASH),
    ],
)
def test_the_mapping(error, facts, kind):
    assert judge(error, **facts).kind is kind


def nested(leaf, siblings, depth):
    for _ in range(depth):
        leaf = BaseExceptionGroup("group", [*siblings, leaf])
    return leaf


@given(st.integers(0, 5), st.integers(0, 3), st.sampled_from(EXITS), BOOLS)
def test_what_must_leave_the_tree_is_found_at_every_depth(depth, width, kind, last):
    escapee = kind()
    error = nested(escapee, [ValueError()] * width, depth)
    if last and isinstance(error, BaseExceptionGroup):
        error = BaseExceptionGroup("outer", [error, OSError()])
    assert find_escapee(error) is escapee


@given(st.integers(0, 5), st.integers(0, 3))
def test_exceptions_never_leave_the_tree(depth, width):
    assert find_escapee(nested(ValueError(), [OSError()] * width, depth)) is None


@given(st.integers(0, 6), BOOLS, BOOLS)
def test_a_group_of_one_is_its_member(depth, asked, ready):
    error = nested(TRAP, [], depth)
    reason = judge(error, asked=asked, ready=ready)
    assert reason.error is TRAP
    assert reason == judge(TRAP, asked=asked, ready=ready)


@given(st.text(max_size=500))
def test_a_description_is_one_short_line(text):
    line = describe(ValueError(text))
    assert "\n" not in line
    assert len(line) <= MAX_DETAIL
    assert line.startswith("ValueError")


def test_offences_are_found_behind_a_failed_start():
    reason = judge(GaveUp([OFFENCE]))
    assert offences_behind(reason) == (OFFENCE,)
    behind = judge(StartFailed("root", "child", reason), ready=False)
    assert offences_behind(behind) == (OFFENCE,)
    assert offences_behind(judge(ValueError())) == ()


def test_nothing_to_find_in_nothing():
    assert find_escapee(None) is None
    assert str(GaveUp([OFFENCE])) == "gave up: child needed restart 4 (crash)"
