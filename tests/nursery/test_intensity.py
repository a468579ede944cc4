"""OTP rules 31 and 33, against the most naive model there is: the whole history."""

from hypothesis import given, strategies as st

from airssys.contracts import Intensity
from airssys.nursery.restarts._intensity import RestartWindow

PERIODS = st.floats(0.001, 1000)
GAPS = st.lists(st.floats(0, 1000), max_size=30)


def stamps_of(gaps):
    now, stamps = 0.0, []
    for gap in gaps:
        now += gap
        stamps.append(now)
    return stamps


@given(st.integers(0, 10), PERIODS, GAPS)
def test_the_window_agrees_with_the_whole_history(restarts, period, gaps):
    window, history = RestartWindow(Intensity(restarts, period)), []
    for now in stamps_of(gaps):
        allows = window.allows(now)
        window = window.stamped(now)
        assert allows is not window.is_exceeded
        history.append(now)
        counted = [stamp for stamp in history if stamp >= now - period]
        assert window.count == len(counted)
        assert window.is_exceeded == (len(counted) > restarts)


def test_rule_31_exactly_intensity_restarts_are_allowed():
    window = RestartWindow(Intensity(2, 10.0))
    for now, exceeded in [(0.0, False), (0.0, False), (0.0, True)]:
        window = window.stamped(now)
        assert window.is_exceeded is exceeded


def test_rule_31_intensity_zero_gives_up_on_the_first():
    assert RestartWindow(Intensity(0, 1.0)).stamped(5.0).is_exceeded


def test_rule_31_the_edge_of_the_window_is_inclusive():
    window = RestartWindow(Intensity(1, 10.0)).stamped(0.0)
    assert window.stamped(10.0).is_exceeded
    assert not window.stamped(10.001).is_exceeded


def test_rule_33_spaced_restarts_never_add_up():
    window = RestartWindow(Intensity(1, 1.0))
    for now in range(0, 1000, 2):
        window = window.stamped(now)
        assert not window.is_exceeded
    assert len(window.stamps) == 1


def test_rule_31_what_is_older_than_the_period_does_not_keep_one_from_a_restart():
    window = RestartWindow(Intensity(2, 10.0)).stamped(0.0).stamped(9.0)
    assert not window.allows(10.0)
    assert window.allows(10.5)
    assert not window.stamped(9.0).allows(10.5)
