"""Time limits of asks: kept to the moment, by one service, for all asks together."""

import math

import pytest
import trio
from hypothesis import given, strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    DeadLetter,
    DeliveryFailed,
)


async def test_an_ask_times_out_at_its_deadline(autojump_clock, served, names):
    a, b, *_ = names
    mailbox = served.open(b)
    begun = trio.current_time()
    with pytest.raises(AskTimedOut) as late:
        await served.ask(b, a, timeout=5)
    assert trio.current_time() == begun + 5
    letter = mailbox.take_nowait()
    assert (late.value.target, late.value.waited) == (b, 5)
    assert late.value.correlation_id == letter.correlation_id
    assert not letter.reply.answer(b"late")
    [event] = served.events
    assert isinstance(event, DeadLetter)
    assert (event.target, event.sender, event.size) == (a, b, 4)


async def test_a_late_answer_with_nothing_to_say_has_no_size(
    autojump_clock, served, names
):
    a, b, *_ = names
    mailbox = served.open(b)
    with pytest.raises(AskTimedOut):
        await served.ask(b, a, timeout=5)
    mailbox.take_nowait().reply.answer(None)
    assert [event.size for event in served.events] == [0]


async def test_time_runs_while_an_ask_waits_for_room(autojump_clock, served, names):
    a, b, *_ = names
    mailbox = served.open(b, 1)
    served.broker.tell(served.letter(b, a, b"first"))
    begun = trio.current_time()
    with pytest.raises(AskTimedOut):
        await served.ask(b, a, timeout=5)
    assert trio.current_time() == begun + 5
    assert mailbox.statistics().blocked_senders == 0
    mailbox.take_nowait()
    assert mailbox.statistics().queued == 0


async def test_room_and_answer_share_one_limit(autojump_clock, served, names, nursery):
    a, b, *_ = names
    mailbox = served.open(b, 1)
    served.broker.tell(served.letter(b, a, b"first"))

    async def make_room():
        await trio.sleep(3)
        mailbox.take_nowait()

    nursery.start_soon(make_room)
    begun = trio.current_time()
    with pytest.raises(AskTimedOut):
        await served.ask(b, a, timeout=5)
    assert trio.current_time() == begun + 5
    assert mailbox.statistics().queued == 1


async def test_no_time_at_all_is_allowed(autojump_clock, served, names):
    a, b, *_ = names
    mailbox = served.open(b)
    with pytest.raises(AskTimedOut):
        await served.ask(b, a, timeout=0)
    assert mailbox.statistics().queued == 1


@pytest.mark.parametrize("timeout", [-1, -math.inf, math.nan])
async def test_a_limit_is_not_a_negative_number(autojump_clock, served, names, timeout):
    a, b, *_ = names
    served.open(b)
    with pytest.raises(ValueError, match="0 or more seconds"):
        await served.ask(b, a, timeout=timeout)


async def test_asks_end_in_order_of_their_deadlines(
    autojump_clock, served, names, nursery
):
    a, b, *_ = names
    served.open(b)
    ends = []

    async def ask(timeout):
        begun = trio.current_time()
        with pytest.raises(AskTimedOut):
            await served.ask(b, a, timeout=timeout)
        assert trio.current_time() == begun + timeout
        ends.append(timeout)

    async with trio.open_nursery() as asks:
        for timeout in (8, 3, 5, 1, 9):
            asks.start_soon(ask, timeout)
    assert ends == [1, 3, 5, 8, 9]


async def test_the_service_sleeps_while_asks_come_and_go(
    autojump_clock, served, names, nursery, serve_echo
):
    a, b, *_ = names
    nursery.start_soon(serve_echo, served.open(b))
    await served.ask(b, a, timeout=10)
    alarm = served.broker.pending._asks._scope
    for _ in range(100):
        await served.ask(b, a, timeout=10)
        await trio.sleep(0.05)
    assert served.broker.pending._asks._scope is alarm
    assert alarm.deadline == 10


async def test_without_the_service_a_limit_is_refused(autojump_clock, world, names):
    a, b, *_ = names
    mailbox = world.open(b)
    with pytest.raises(DeliveryFailed, match=r"has not begun.*\. Ask inside the block"):
        await world.ask(b, a, timeout=5)
    assert mailbox.statistics().queued == 0


async def test_when_the_service_ends_all_asks_end(
    autojump_clock, world, names, nursery
):
    a, b, *_ = names
    mailbox = world.open(b)
    ends = []

    async def ask(timeout):
        with pytest.raises(CalleeFailed) as failed:
            await world.ask(b, a, timeout=timeout)
        ends.append(failed.value.why)

    async with trio.open_nursery() as service:
        await service.start(world.broker.run)
        nursery.start_soon(ask, 5)
        nursery.start_soon(ask, math.inf)
        await wait_all_tasks_blocked()
        service.cancel_scope.cancel()
    world.assert_at_rest()
    await wait_all_tasks_blocked()
    assert ends == ["the system has stopped"] * 2
    with pytest.raises(DeliveryFailed):
        await world.ask(b, a, timeout=5)
    mailbox.take_nowait().reply.answer(b"late")
    assert len(world.events) == 1


async def test_the_service_may_run_again_but_not_twice(autojump_clock, served, names):
    a, b, *_ = names
    served.open(b)
    with pytest.raises(RuntimeError, match="already"):
        await served.broker.run()
    with pytest.raises(AskTimedOut):
        await served.ask(b, a, timeout=5)


async def test_the_service_may_run_again_after_it_ended(autojump_clock, world, names):
    a, b, *_ = names
    world.open(b)
    for _ in range(2):
        async with trio.open_nursery() as service:
            await service.start(world.broker.run)
            with pytest.raises(AskTimedOut):
                await world.ask(b, a, timeout=5)
            service.cancel_scope.cancel()


async def ask_once(world, names, start, timeout, answered):
    a, b, *_ = names
    await trio.sleep(start)
    begun = trio.current_time()
    try:
        await world.ask(b, a, bytes([answered]), timeout=timeout)
    except AskTimedOut:
        assert timeout <= answered
    else:
        assert answered <= timeout
    assert trio.current_time() == begun + min(timeout, answered)


async def answer_all(mailbox, nursery):
    while True:
        nursery.start_soon(answer_later, await mailbox.take())
        mailbox.release()


async def answer_later(letter):
    await trio.sleep(letter.payload[0])
    letter.reply.answer(b"")


async def carry_out(world, names, plan):
    async with trio.open_nursery() as service:
        await service.start(world.broker.run)
        service.start_soon(answer_all, world.open(names[1]), service)
        async with trio.open_nursery() as asks:
            for step in plan:
                asks.start_soon(ask_once, world, names, *step)
        world.assert_at_rest()
        service.cancel_scope.cancel()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 20))))
def test_each_ask_ends_when_its_answer_or_its_deadline_comes(make_world, names, plan):
    """Each of the plan: when it asks, its limit, and when after that it is answered."""
    clock = MockClock(autojump_threshold=0)
    trio.run(carry_out, make_world(), names, plan, clock=clock)
