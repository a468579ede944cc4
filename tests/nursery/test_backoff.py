"""How long a child that failed waits: the formula, and its limits."""

import random

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import NO_BACKOFF, Backoff, Growth
from airssys.nursery.restarts._backoff import failures_before, pause_before_restart

SECONDS = st.floats(0, 100)
BACKOFFS = st.builds(
    Backoff,
    growth=st.sampled_from(Growth),
    first=SECONDS,
    factor=st.floats(1, 10),
    cap=SECONDS,
    jitter=st.booleans(),
)


class NoChance(random.Random):
    def uniform(self, low, high):
        raise AssertionError("asked for jitter")


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [
        (NO_BACKOFF, [0, 0, 0, 0]),
        (Backoff(growth=Growth.CONSTANT, first=2.0), [2, 2, 2, 2]),
        (Backoff(growth=Growth.LINEAR, first=2.0, cap=5.0), [2, 4, 5, 5]),
        (Backoff(first=1.0, factor=3.0, cap=20.0), [1, 3, 9, 20]),
        (Backoff(), [0.1, 0.15, 0.225, 0.3375]),
    ],
)
def test_pauses(backoff, pauses):
    got = [pause_before_restart(backoff, n, NoChance()) for n in range(4)]
    assert got == pytest.approx(pauses)


def test_however_many_failures_the_pause_is_the_cap():
    assert pause_before_restart(Backoff(factor=10.0), 10**6, NoChance()) == 30.0


@given(BACKOFFS, st.integers(0, 1000), st.integers(0, 99))
def test_no_pause_exceeds_the_cap_and_the_same_seed_gives_the_same(backoff, n, seed):
    pause = pause_before_restart(backoff, n, random.Random(seed))
    assert 0 <= pause <= backoff.cap
    assert pause == pause_before_restart(backoff, n, random.Random(seed))


@given(BACKOFFS, st.integers(0, 100))
def test_without_jitter_pauses_never_shrink(backoff, n):
    if not backoff.jitter:
        first, then = (pause_before_restart(backoff, n + i, NoChance()) for i in (0, 1))
        assert first <= then


@pytest.mark.parametrize(
    ("ran_for", "left"), [(None, 4), (0.0, 4), (59.9, 4), (60.0, 0), (1e9, 0)]
)
def test_failures_are_forgotten_after_a_time_of_health(ran_for, left):
    assert failures_before(Backoff(), 4, ran_for) == left
