"""How a task ended, and what that makes of its actor."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    CapacityReached,
    ComponentId,
    ExitKind,
    ExitReason,
    GuestTrapped,
    HealthStatus,
    IntensityExceeded,
    StartFailed,
    TrapReason,
    Unhealthy,
)
from airssys.nursery.restarts._exit_reason import (
    MAX_DETAIL,
    CutOff,
    GaveUp,
    Ignore,
    Stop,
    describe,
    exceeded_behind,
    exit_kind,
    exit_reason,
    failure_to_start,
    unjudged,
    why_children_end,
)

EXCEEDED = IntensityExceeded("root", "child", 4, 60.0, "crash")
TRAP = GuestTrapped(TrapReason.UNREACHABLE, "handle-message", "unreachable")
REFUSED = ExitReason(ExitKind.REFUSED, CapacityReached("maps"))
BOOLS = st.booleans()


def judge(error, *, asked=False, killed=False, ready=True):
    return exit_reason(error, asked=asked, killed=killed, ready=ready)


@pytest.mark.parametrize(
    ("error", "facts", "kind"),
    [
        (None, {}, ExitKind.NORMAL),
        (None, {"asked": True}, ExitKind.SHUTDOWN),
        (None, {"asked": True, "killed": True}, ExitKind.KILLED),
        (Stop("stopped itself"), {}, ExitKind.SHUTDOWN),
        (GaveUp([EXCEEDED]), {}, ExitKind.SHUTDOWN),
        (CutOff("too slow"), {}, ExitKind.KILLED),
        (CutOff("too slow"), {"ready": False}, ExitKind.KILLED),
        (Ignore("not now"), {"ready": False}, ExitKind.IGNORED),
        (Ignore("not now"), {"ready": True}, ExitKind.CRASH),
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


@pytest.mark.parametrize("ready", [True, False])
@pytest.mark.parametrize(
    "error", [CutOff("x"), CapacityReached("x"), Ignore("x"), Stop("x"), TRAP]
)
def test_the_kind_is_known_before_the_reason_is_made(error, ready):
    group = ExceptionGroup("g", [error])
    for each in (error, group):
        assert exit_kind(each, ready=ready) is judge(each, ready=ready).kind


def nested(leaf, siblings, depth):
    for _ in range(depth):
        leaf = BaseExceptionGroup("group", [*siblings, leaf])
    return leaf


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


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(), "ValueError"),
        (ValueError("  \n "), "ValueError"),
        (ValueError(" what\n and more"), "ValueError: what"),
        (ValueError("x" * (MAX_DETAIL - 12)), "ValueError: " + "x" * 188),
        (ValueError("x" * (MAX_DETAIL - 11)), "ValueError: " + "x" * 187 + "…"),
    ],
)
def test_how_an_error_is_described(error, line):
    assert MAX_DETAIL == 200
    assert describe(error) == line
    assert judge(error).detail == line


def test_how_an_end_without_an_error_is_described():
    assert judge(None).detail == judge(None, asked=True).detail
    assert judge(None, asked=True, killed=True).detail == "it was cancelled"


def test_which_child_did_not_start_is_known_from_however_far_below():
    below = StartFailed("root/inner", "child", REFUSED)
    assert failure_to_start("root", "inner", judge(below, ready=False)) is below
    crash = judge(ValueError(), ready=False)
    failure = failure_to_start("root", "child", crash)
    assert (failure.supervisor, failure.child) == ("root", "child")
    assert failure.reason is crash


def test_an_actor_that_ignores_its_start_does_so_only_then():
    assert judge(Ignore(), ready=False).kind is ExitKind.IGNORED
    assert judge(Ignore(), ready=True).kind is ExitKind.CRASH


def test_an_unhealthy_end_is_not_a_crash():
    error = Unhealthy(ComponentId.parse("a"), 3, HealthStatus.UNHEALTHY)
    assert judge(error).kind is ExitKind.UNHEALTHY
    assert judge(error, ready=False).kind is ExitKind.UNHEALTHY


def test_the_last_intensity_exceeded_is_shown():
    chain = [EXCEEDED, IntensityExceeded("top", "inner", 9, 60.0, "gave up")]
    assert str(GaveUp(chain)) == "gave up: inner needed restart 9 (gave up)"
    assert GaveUp(chain).chain == tuple(chain)
    assert GaveUp(chain).args == (tuple(chain),)


def test_exceeded_intensities_are_found_behind_a_failed_start():
    reason = judge(GaveUp([EXCEEDED]))
    assert exceeded_behind(reason) == (EXCEEDED,)
    behind = judge(StartFailed("root", "child", reason), ready=False)
    assert exceeded_behind(behind) == (EXCEEDED,)
    assert exceeded_behind(judge(ValueError())) == ()


def test_a_supervisor_that_gave_up_says_why():
    assert str(GaveUp([EXCEEDED])) == "gave up: child needed restart 4 (crash)"


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (None, "root/web was stopped"),
        (GaveUp([EXCEEDED]), "root/web gave up"),
        (Stop(), "root/web ended"),
        (ValueError(), "root/web ended"),
    ],
)
def test_the_children_of_a_supervisor_are_gone_for_a_reason(outcome, why):
    assert why_children_end("root/web", outcome) == why


def test_the_reasons_behind_a_failed_start_may_lead_in_a_cycle_or_to_nothing():
    error = StartFailed("root", "child", REFUSED)
    error.reason = ExitReason(ExitKind.SHUTDOWN, error)
    assert exceeded_behind(ExitReason(ExitKind.SHUTDOWN, error)) == ()
    error.reason = "what a user put there"
    assert exceeded_behind(ExitReason(ExitKind.SHUTDOWN, error)) == ()
    assert judge(error, ready=False).kind is ExitKind.SHUTDOWN


class Unsayable(ValueError):
    """Nothing can be found out about it by asking it."""

    def __str__(self):
        raise LookupError("the session is closed")

    __repr__ = __bool__ = __len__ = __hash__ = __eq__ = __str__
    __class__ = property(__str__)
    __reduce__ = __reduce_ex__ = __str__


@pytest.mark.parametrize("depth", [0, 1, 600])
def test_an_error_that_cannot_be_shown_is_a_crash_like_any_other(depth):
    error = Unsayable()
    reason = judge(nested(error, [], depth))
    assert (reason.kind, reason.error) == (ExitKind.CRASH, error)
    assert reason.detail == "Unsayable: <it cannot be shown: LookupError>"


def test_of_an_error_that_cannot_be_judged_its_class_is_shown():
    error = Unsayable()
    reason = unjudged(error)
    assert (reason.kind, reason.error) == (ExitKind.CRASH, error)
    assert reason.detail == "Unsayable, which cannot be described"
    assert unjudged(None).detail == "nothing, which cannot be described"
