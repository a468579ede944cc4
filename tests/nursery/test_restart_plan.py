"""OTP rules 20-22, 25-27, 31, 34, 49-52 as tables, and attempts against a history."""

import attrs
import pytest
from hypothesis import given, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from airssys.contracts import (
    AutoShutdown,
    Directive,
    ExitKind,
    ExitReason,
    Intensity,
    RestartType,
    Strategy,
)
from airssys.nursery.restarts._intensity import RestartWindow
from airssys.nursery.restarts._plan import (
    RETRY_PAUSE,
    Verdict,
    directive_for,
    ends_supervisor,
    judge_end,
    plan_attempt,
    sharing,
)

PERMANENT, TRANSIENT, TEMPORARY = RestartType
NORMAL, SHUTDOWN, CRASH, KILLED, REFUSED, *_ = ExitKind
ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE = Strategy
WINDOW = RestartWindow(Intensity(1, 5.0))


@attrs.define(eq=False)
class Place:
    name: str
    restart: RestartType = PERMANENT
    is_occupied: bool = True

    @property
    def spec(self):
        return self


def names(places):
    return "".join(place.name for place in places)


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
    assert judge_end(restart, ExitReason(kind)) is verdict


ERRORS = [CRASH, ExitKind.UNHEALTHY]
STOPS = {
    PERMANENT: Verdict.KEEP_STOPPED,
    TRANSIENT: Verdict.KEEP_STOPPED,
    TEMPORARY: Verdict.FORGET,
}


@pytest.mark.parametrize("restart", RestartType)
@pytest.mark.parametrize("kind", ERRORS)
def test_what_an_error_asks_for_goes_before_the_restart_type(restart, kind):
    def verdict_on(directive, error=None):
        reason = ExitReason(kind, error or UnicodeError("a ValueError"))
        return judge_end(restart, reason, ((ValueError, directive),))

    usual = judge_end(restart, ExitReason(kind))
    assert verdict_on(Directive.RESTART) is Verdict.RESTART
    assert verdict_on(Directive.ESCALATE) is Verdict.ESCALATE
    assert verdict_on(Directive.STOP) is STOPS[restart]
    assert verdict_on(Directive.RESUME) is usual
    for directive in Directive:
        assert verdict_on(directive, OSError()) is usual


@pytest.mark.parametrize("restart", RestartType)
@pytest.mark.parametrize("kind", [k for k in ExitKind if k not in ERRORS])
def test_only_errors_ask_for_something(restart, kind):
    reason = ExitReason(kind, ValueError())
    for directive in Directive:
        asked = judge_end(restart, reason, ((Exception, directive),))
        assert asked is judge_end(restart, reason)


def test_the_first_directive_that_fits_decides_and_a_group_must_fit_wholly():
    on_error = ((UnicodeError, Directive.STOP), (ValueError, Directive.ESCALATE))
    assert directive_for(on_error, UnicodeError()) is Directive.STOP
    assert directive_for(on_error, ValueError()) is Directive.ESCALATE
    both = ExceptionGroup("g", [UnicodeError(), ValueError()])
    assert directive_for(on_error, both) is Directive.ESCALATE
    mixed = ExceptionGroup("g", [ValueError(), OSError()])
    assert directive_for(on_error, mixed) is None
    assert directive_for(on_error, None) is None


@pytest.mark.parametrize(
    ("strategy", "stop", "start"),
    [
        (ONE_FOR_ONE, "", "b"),
        (ONE_FOR_ALL, "edca", "abce"),
        (REST_FOR_ONE, "edc", "bce"),
    ],
)
def test_rules_25_to_27_who_shares_a_restart(strategy, stop, start):
    places = [Place(name) for name in "abcde"]
    places[1].is_occupied = False
    places[3].restart = TEMPORARY
    attempt = plan_attempt(strategy, places, places[1], WINDOW)
    assert (names(attempt.stop), names(attempt.start)) == (stop, start)


@given(st.sampled_from(Strategy), st.integers(1, 6), st.data())
def test_plans_keep_the_order_and_stop_only_children_that_run(strategy, count, data):
    places = [
        Place(
            str(i),
            data.draw(st.sampled_from(RestartType)),
            data.draw(st.booleans()),
        )
        for i in range(count)
    ]
    offender = data.draw(st.sampled_from(places))
    attempt = plan_attempt(strategy, places, offender, WINDOW)
    group = sharing(strategy, places, offender)
    assert offender in attempt.start
    assert offender not in attempt.stop
    assert names(attempt.start) == "".join(sorted(names(attempt.start)))
    assert names(attempt.stop) == "".join(sorted(names(attempt.stop), reverse=True))
    assert set(attempt.start) | set(attempt.stop) <= set(group)
    for place in group:
        if place is not offender:
            assert (place in attempt.start) is (place.restart is not TEMPORARY)
            gone = not place.is_occupied and place.restart is not TEMPORARY
            assert (place in attempt.stop) is not gone


def test_a_start_refused_because_there_is_no_capacity_is_tried_again_after_a_second():
    assert RETRY_PAUSE == 1.0


def test_one_restart_too_many_stops_and_starts_no_child():
    places = [Place("a"), Place("b")]
    window = WINDOW.stamped(0.0).stamped(5.0)
    attempt = plan_attempt(ONE_FOR_ALL, places, places[0], window)
    assert attempt.gives_up is True
    assert (attempt.stop, attempt.start) == ((), ())


@pytest.mark.parametrize(
    ("mode", "significant", "others", "ends"),
    [
        (AutoShutdown.NEVER, True, [], False),
        (AutoShutdown.ANY_SIGNIFICANT, True, [True], True),
        (AutoShutdown.ANY_SIGNIFICANT, False, [False], False),
        (AutoShutdown.ALL_SIGNIFICANT, True, [True, False], False),
        (AutoShutdown.ALL_SIGNIFICANT, True, [False, False], True),
        (AutoShutdown.ALL_SIGNIFICANT, True, [], True),
        (AutoShutdown.ALL_SIGNIFICANT, False, [False], False),
    ],
)
def test_rules_49_and_50_when_a_supervisor_ends_with_a_child(
    mode, significant, others, ends
):
    verdict = ends_supervisor(mode, significant=significant, others_active=others)
    assert verdict is ends


class OneChild(RuleBasedStateMachine):
    """A child that ends again and again, against a history of its restarts."""

    def __init__(self):
        super().__init__()
        self.place = Place("a")
        self.window = RestartWindow(Intensity(3, 10.0))
        self.now, self.restarts, self.gave_up = 0.0, [], False

    @rule(seconds=st.floats(0, 20))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: not self.gave_up)
    @rule(strategy=st.sampled_from(Strategy))
    def restart_is_tried(self, strategy):
        window = self.window.stamped(self.now)
        attempt = plan_attempt(strategy, [self.place], self.place, window)
        self.window, self.gave_up = attempt.window, attempt.gives_up
        self.restarts.append(self.now)
        recent = [t for t in self.restarts if t >= self.now - 10.0]
        assert self.gave_up == (len(recent) > 3)
        assert bool(attempt.start) is not self.gave_up


TestOneChild = OneChild.TestCase
