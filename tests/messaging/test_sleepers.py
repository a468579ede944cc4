"""Many sleep by one alarm: each wakes in time, and none is left behind."""

import math

import pytest
import trio
from hypothesis import given, settings, strategies as st

from airssys.messaging import Sleepers


@pytest.fixture
async def sleepers(nursery):
    sleepers = Sleepers()
    await nursery.start(sleepers.serve)
    return sleepers


async def woke_at(sleepers, woken, name, seconds):
    await sleepers.sleep(seconds)
    woken[name] = trio.current_time()


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0, 100)), max_size=30)
)
def test_each_sleeps_as_long_as_it_asked_unless_cancelled(sleeps):
    clock = trio.testing.MockClock(autojump_threshold=0)
    woken = {}

    async def sleep(sleepers, name, seconds, cancelled_after):
        with trio.move_on_after(
            math.inf if cancelled_after is None else cancelled_after
        ):
            await woke_at(sleepers, woken, name, seconds)

    async def main():
        sleepers = Sleepers()
        async with trio.open_nursery() as services:
            await services.start(sleepers.serve)
            began = trio.current_time()
            async with trio.open_nursery() as nursery:
                for name, (seconds, cancelled_after) in enumerate(sleeps):
                    nursery.start_soon(sleep, sleepers, name, seconds, cancelled_after)
            assert len(sleepers) == 0
            services.cancel_scope.cancel()
        return began

    began = trio.run(main, clock=clock)
    for name, (seconds, cancelled_after) in enumerate(sleeps):
        if cancelled_after is None or seconds < cancelled_after:
            assert woken[name] - began == pytest.approx(seconds)
        elif seconds > cancelled_after:
            assert name not in woken


async def test_an_earlier_sleeper_moves_the_alarm(sleepers, nursery, autojump_clock):
    woken = {}
    for name, seconds in [("late", 10), ("early", 1), ("never", math.inf)]:
        nursery.start_soon(woke_at, sleepers, woken, name, seconds)
        await trio.testing.wait_all_tasks_blocked()
    await trio.sleep(20)
    began = trio.current_time() - 20
    assert woken == {"early": began + 1, "late": began + 10}
    assert len(sleepers) == 1


@pytest.mark.parametrize("seconds", [0, -1])
async def test_no_time_at_all_is_a_checkpoint(sleepers, seconds):
    with trio.testing.assert_checkpoints():
        await sleepers.sleep(seconds)
    with trio.CancelScope() as scope:
        scope.cancel()
        await sleepers.sleep(seconds)
    assert scope.cancelled_caught


async def test_a_cancelled_sleeper_is_forgotten(sleepers):
    with trio.move_on_after(0.0) as scope:
        await sleepers.sleep(1)
    assert scope.cancelled_caught
    assert len(sleepers) == 0


async def test_without_service_each_sleeps_by_itself(autojump_clock):
    began = trio.current_time()
    await Sleepers().sleep(7)
    assert trio.current_time() - began == 7


async def test_only_one_serves(sleepers):
    with pytest.raises(RuntimeError, match="already"):
        await sleepers.serve()
