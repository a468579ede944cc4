"""Messages that an actor sends to itself later."""

import math

import pytest
import trio
import trio.testing
from hypothesis import given, strategies as st

from airssys.contracts import EngineMisused, InvalidMessage
from airssys.nursery.shared._timers import SHORTEST_PERIOD, next_beat

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


class Clockwork:
    def __init__(self, log, plan):
        self.log, self.plan = log, plan

    async def started(self, context):
        self.timers = self.plan(context)
        self.log.append(context)

    async def handle(self, context, envelope):
        word = envelope.payload
        if word == b"cancel":
            for timer in self.timers:
                timer.cancel()
                timer.cancel()
        elif word == b"crash":
            raise ValueError("on purpose")
        elif word.startswith(b"sleep"):
            await trio.sleep(float(word[5:]))
        else:
            assert envelope.sender == context.self_id
            self.log.append((trio.current_time(), word))


def clockwork(log, plan, **options):
    return python("t", Clockwork, arguments=(log, plan), **options)


def ticks(log):
    return [entry for entry in log if isinstance(entry, tuple)]


def timers_of(log):
    return log[0]._timers


async def test_once_later_and_again_and_again(autojump_clock):
    def plan(context):
        return context.send_after(2.5, b"once"), context.send_every(1, b"tick")

    log = []
    async with running(clockwork(log, plan)) as (system, _):
        await trio.sleep(3.1)
        assert ticks(log) == [(1, b"tick"), (2, b"tick"), (2.5, b"once"), (3, b"tick")]
        await system.ask("t", b"cancel")
        await trio.sleep(10)
        assert len(ticks(log)) == 4
        assert len(timers_of(log)) == 0


async def test_a_timer_of_no_time_comes_after_the_start(autojump_clock):
    log = []
    plan = lambda context: (context.send_after(0, b"now"),)  # noqa: E731
    async with running(clockwork(log, plan)):
        await trio.sleep(1)
        assert ticks(log) == [(0, b"now")]


async def test_timers_end_with_their_incarnation(autojump_clock):
    def plan(context):
        return context.send_after(5, b"late"), context.send_every(7, b"tick")

    log = []
    async with running(clockwork(log, plan)) as (system, _):
        await trio.sleep(1)
        system.tell("t", b"crash")
        await trio.sleep(6.8)
        assert len(timers_of(log)) == 1
        assert [round(at) for at, _ in ticks(log)] == [6]
        await trio.sleep(1)
        assert [word for _, word in ticks(log)] == [b"late", b"tick"]
        await system.supervisor("root").terminate_child("local/t/0")
        assert len(timers_of(log)) == 0
        first = log[0]
        with pytest.raises(EngineMisused):
            first.send_after(1, b"late")


async def test_beats_that_do_not_fit_are_left_out(autojump_clock):
    log = []
    plan = lambda context: (context.send_every(1, b"tick"),)  # noqa: E731
    async with running(clockwork(log, plan, mailbox=2)) as (system, _):
        system.tell("t", b"sleep9.5")
        await trio.sleep(9.6)
        assert [at for at, _ in ticks(log)] == [9.5, 9.5, 9.5]
        await trio.sleep(1)
        assert ticks(log)[-1] == (10, b"tick")


async def test_a_clock_that_jumped_costs_one_beat(mock_clock):
    log = []
    plan = lambda context: (context.send_every(1, b"tick"),)  # noqa: E731
    async with running(clockwork(log, plan)):
        mock_clock.jump(100.5)
        await trio.testing.wait_all_tasks_blocked()
        assert len(ticks(log)) == 1
        mock_clock.jump(0.5)
        await trio.testing.wait_all_tasks_blocked()
        assert [at for at, _ in ticks(log)] == [100.5, 101]


@pytest.mark.parametrize("period", [5e-324, 1e-300, 1e-9, 1e-3, 9e11])
async def test_a_timer_of_any_period_ends_no_actor(mock_clock, period):
    def plan(context):
        return context.send_every(period, b"odd"), context.send_every(10, b"even")

    log = []
    async with running(clockwork(log, plan, mailbox=10)) as (system, _):
        for _ in range(3):
            mock_clock.jump(10)
            await trio.testing.wait_all_tasks_blocked()
        even = [at for at, word in ticks(log) if word == b"even"]
        assert even == [10, 20, 30]
        odd = len(ticks(log)) - len(even)
        assert odd == (0 if period > 1 else 3)
        mock_clock.jump(0.0011)
        await trio.testing.wait_all_tasks_blocked()
        assert len(ticks(log)) - len(even) - odd == (period <= 1)
        await system.ask("t", b"cancel")


@given(st.floats(0, 1e12), st.floats(SHORTEST_PERIOD, 1e12), st.floats(0, 1e12))
def test_the_next_beat_is_always_to_come(due, every, now):
    beat = next_beat(due, every, now)
    assert beat > now
    assert beat > due or every < math.ulp(due)
    assert beat <= max(due, now) + every * 1.001 + 2 * math.ulp(max(due, now))


async def test_one_that_cancels_another_of_the_same_moment(autojump_clock):
    def plan(context):
        timers = []
        timers.append(context.send_after(1, b"cancel"))
        timers.append(context.send_every(1, b"tick"))
        return timers

    log = []
    async with running(clockwork(log, plan)):
        await trio.sleep(5)
        assert len(ticks(log)) <= 1
        assert len(timers_of(log)) == 0


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, "1", True, None])
async def test_what_is_not_a_time_is_refused(seconds):
    log = []
    async with running(clockwork(log, lambda _: ())):
        for start in (log[0].send_after, log[0].send_every):
            with pytest.raises(ValueError, match="seconds"):
                start(seconds, b"")
        with pytest.raises(ValueError, match="more than 0"):
            log[0].send_every(0, b"")
        with pytest.raises(InvalidMessage):
            log[0].send_after(1, "text")
        assert len(timers_of(log)) == 0
