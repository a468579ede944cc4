"""OTP rules 20-22, 31, 32, 36 as a table, and the plan against a model."""

import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from airssys.contracts import ExitKind, ExitReason, Intensity, RestartType
from airssys.nursery._intensity import RestartWindow
from airssys.nursery._restart_plan import Verdict, plan_restart

PERMANENT, TRANSIENT, TEMPORARY = RestartType
NORMAL, SHUTDOWN, CRASH, KILLED, REFUSED = ExitKind
WINDOW = RestartWindow(Intensity(1, 5.0))


def plan(restart, kind, window=WINDOW, now=0.0, *, was_ready=True):
    reason = ExitReason(kind)
    return plan_restart(restart, reason, window, now, was_ready=was_ready)


@pytest.mark.parametrize(
    ("restart", "kind", "verdict"),
    [
        (PERMANENT, NORMAL, Verdict.RESTART),
        (PERMANENT, SHUTDOWN, Verdict.RESTART),
        (PERMANENT, CRASH, Verdict.RESTART),
        (PERMANENT, KILLED, Verdict.RESTART),
        (TRANSIENT, NORMAL, Verdict.KEEP_STOPPED),
        (TRANSIENT, SHUTDOWN, Verdict.KEEP_STOPPED),
        (TRANSIENT, CRASH, Verdict.RESTART),
        (TRANSIENT, KILLED, Verdict.RESTART),
        (TEMPORARY, NORMAL, Verdict.FORGET),
        (TEMPORARY, SHUTDOWN, Verdict.FORGET),
        (TEMPORARY, CRASH, Verdict.FORGET),
        (TEMPORARY, KILLED, Verdict.FORGET),
    ],
)
def test_rules_20_to_22_which_exits_cause_a_restart(restart, kind, verdict):
    assert plan(restart, kind).verdict is verdict


def test_rule_31_one_more_than_the_intensity_gives_up():
    first = plan(PERMANENT, CRASH)
    assert plan(PERMANENT, CRASH, first.window).verdict is Verdict.GIVE_UP


@pytest.mark.parametrize("kind", [NORMAL, SHUTDOWN, CRASH, KILLED])
def test_rule_32_a_failed_restart_is_followed_by_another_and_counts(kind):
    failed = plan(TRANSIENT, kind, was_ready=False)
    assert failed.verdict is Verdict.RESTART
    assert failed.window.count == 1


@given(st.sampled_from(RestartType), st.booleans())
def test_a_refusal_is_tried_again_later_and_never_counts(restart, was_ready):
    refused = plan(restart, REFUSED, was_ready=was_ready)
    assert refused.verdict is Verdict.RETRY_LATER
    assert refused.window is WINDOW


@given(st.sampled_from(RestartType), st.sampled_from(ExitKind))
def test_only_restarts_count(restart, kind):
    made = plan(restart, kind)
    assert made.window.count == (made.verdict is Verdict.RESTART)


class OneChild(RuleBasedStateMachine):
    """A child that ends again and again, against a history of its restarts."""

    def __init__(self):
        super().__init__()
        self.window = RestartWindow(Intensity(3, 10.0))
        self.now, self.restarts, self.gave_up = 0.0, [], False

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: not self.gave_up)
    @rule(
        restart=st.sampled_from(RestartType),
        kind=st.sampled_from(ExitKind),
        was_ready=st.booleans(),
    )
    def child_ends(self, restart, kind, was_ready):
        made = plan(restart, kind, self.window, self.now, was_ready=was_ready)
        self.window = made.window
        wanted = kind is not REFUSED and (
            not was_ready
            or restart is PERMANENT
            or (restart is TRANSIENT and kind in (CRASH, KILLED))
        )
        if wanted:
            self.restarts.append(self.now)
        recent = [t for t in self.restarts if t >= self.now - 10.0]
        self.gave_up = made.verdict is Verdict.GIVE_UP
        assert self.gave_up == (wanted and len(recent) > 3)
        assert (made.verdict is Verdict.RESTART) == (wanted and not self.gave_up)


TestOneChild = OneChild.TestCase
