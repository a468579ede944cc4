"""An idle component answers an ask in the asker's step; whatever else happens is as ever."""

import math
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    ChildExited,
    DeadLetter,
    GuestTrapped,
    MessageFailed,
    TrapReason,
)
from airssys.dsl import blueprint, component
from airssys.security import everything
from airssys.system import open_system
from airssys.testing import wait_until_idle
from pace import PATIENCE, passes_of

GUESTS = Path(__file__).resolve().parents[1] / "guests"
NAP = b"50"


def guest(name, wat=None, **options):
    return component(name, GUESTS / f"{wat or name}.wat", can=everything(), **options)


@asynccontextmanager
async def opened(*children):
    opening = open_system(blueprint(*children, restarts=100))
    events = opening.listen(1000)
    async with opening as system:
        yield system, events


def seen(events, kind):
    found = []
    while True:
        try:
            found.append(events.next_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return [event for event in found if isinstance(event, kind)]


async def next_of(events, kind):
    with trio.fail_after(PATIENCE):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the events ended")


async def test_an_idle_component_answers_within_one_pass():
    async with opened(guest("echo")) as (system, _):
        await wait_until_idle()
        passes, asks = math.inf, 0
        # A tick may fall into some. After a poll that took long, because the machine did
        # something else, the next sixteen are made by a worker.
        while passes > 1 and asks < 500:
            answer, passes = await passes_of(lambda: system.ask("echo", b"x"))
            assert answer == b"x"
            asks += 1
        assert passes == 1
        statistics = system.mailbox("echo")
        found = (statistics.handled, statistics.in_hand, statistics.queued)
        assert found == (asks, 0, 0)


async def test_messages_of_one_sender_stay_in_order():
    async with opened(guest("state")) as (system, _):
        for number in range(5):
            system.tell("state", b"t")
            assert int(await system.ask("state", b"a")) == 2 * number + 2


async def test_two_askers_in_one_pass_are_both_answered():
    async with opened(guest("state")) as (system, _):
        answers = []

        async def ask():
            answers.append(int(await system.ask("state", b"a")))

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(ask)
        assert sorted(answers) == list(range(1, 21))


async def test_a_trap_crashes_its_actor_and_not_its_asker():
    async with opened(guest("fragile")) as (system, events):
        assert await system.ask("fragile", b"a") == b"1"
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("fragile", b"boom")
        assert isinstance(caught.value.error, GuestTrapped)
        ended = await next_of(events, ChildExited)
        assert ended.reason.error.reason is TrapReason.UNREACHABLE
        assert await system.ask("fragile", b"a") == b"1"


async def test_a_refusal_is_reported_and_the_actor_keeps_running():
    async with opened(guest("reject")) as (system, events):
        for _ in range(2):
            with pytest.raises(CalleeFailed, match="GuestRejected"):
                await system.ask("reject", b"x")
        assert len(seen(events, MessageFailed)) == 2
        assert seen(events, ChildExited) == []


async def test_one_that_sleeps_in_the_host_is_brought_to_its_end():
    async with opened(guest("sleep"), guest("echo")) as (system, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.ask, "sleep", NAP)
            await wait_until_idle()
            assert system.mailbox("sleep").in_hand == 1
            assert await system.ask("echo", b"y") == b"y"
        assert system.mailbox("sleep").handled == 1


async def test_one_that_loops_is_cut_off_at_its_limit():
    limits = {"execution_time": 0.05}
    async with opened(guest("loop", limits=limits)) as (system, _):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("loop", b"x")
        assert caught.value.error.reason is TrapReason.TIME_LIMIT


async def test_one_that_loops_goes_on_when_its_asker_times_out():
    limits = {"execution_time": 0.3}
    async with opened(guest("loop", limits=limits)) as (system, events):
        with pytest.raises(AskTimedOut):
            await system.ask("loop", b"x", timeout=0.05)
        assert seen(events, ChildExited) == []
        exited = await next_of(events, ChildExited)
        assert exited.reason.error.reason is TrapReason.TIME_LIMIT


async def test_one_that_loops_may_be_cut_off_when_its_asker_times_out():
    looping = guest("loop", on_abandoned="cancel")
    async with opened(looping) as (system, events):
        for _ in range(5):
            with pytest.raises(AskTimedOut):
                await system.ask("loop", b"x", timeout=0.05)
        await next_of(events, MessageFailed)
        assert seen(events, ChildExited) == []


async def test_a_cancelled_asker_leaves_and_the_answer_is_a_dead_letter():
    async with opened(guest("sleep")) as (system, events):
        with trio.CancelScope() as scope:
            scope.cancel()
            await system.ask("sleep", b"never begun")
        assert scope.cancelled_caught
        assert system.mailbox("sleep").in_hand == 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.ask, "sleep", NAP)
            await wait_until_idle()
            nursery.cancel_scope.cancel()
        letter = await next_of(events, DeadLetter)
        assert "stopped waiting" in letter.why


async def test_a_timeout_of_zero_is_over_before_it_begins():
    async with opened(guest("state")) as (system, _):
        with pytest.raises(AskTimedOut):
            await system.ask("state", b"x", timeout=0)
        assert await system.ask("state", b"x") == b"1"


async def test_a_stop_waits_for_what_was_begun():
    async with opened(guest("sleep")) as (system, events):
        answers = []

        async def ask():
            answers.append(await system.ask("sleep", NAP))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await wait_until_idle()
            await system.supervisor("root").terminate_child("sleep")
        assert len(answers) == 1
        assert seen(events, DeadLetter) == []


async def test_a_guest_asks_a_guest_at_once():
    asker = guest("asker", data=b"local/echo/0")
    async with opened(guest("echo"), asker) as (system, _):
        best = math.inf
        for _ in range(10):
            answer, passes = await passes_of(lambda: system.ask("asker", b"x"))
            assert answer == b"x"
            best = min(best, passes)
        # One for the asker to be woken, one for the answer to it, one for ours.
        assert best <= 3
        assert system.mailbox("echo").handled == 10


async def test_an_answer_that_is_too_long_for_one_step_comes_later():
    async with opened(guest("huge-return")) as (system, _):
        for size in (10, 100_000, 10, 900_000, 10):
            answer = await system.ask("huge-return", f"{size}".encode(), timeout=60)
            assert answer == b"0" * size
