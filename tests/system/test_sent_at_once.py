"""What a component sends is delivered within its slice while the receiver keeps up."""

import math
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from airssys.contracts import BRUTAL_KILL
from airssys.dsl import actor, blueprint, component
from airssys.security import everything
from airssys.system import open_system
from airssys.testing import wait_until_idle
from pace import PATIENCE, passes_of

pytestmark = pytest.mark.usefixtures("handler_kind")

GUESTS = Path(__file__).resolve().parents[1] / "guests"


def sender(target, times, **options):
    wat = GUESTS / "repeat-sender.wat"
    return component(
        "sender", wat, data=f"local/{target}/0/{times}", can=everything(), **options
    )


def log(**options):
    """An actor, and what it gets."""
    got = []

    async def note(context, envelope):
        got.append(envelope.payload)

    return actor("log", note, **options), got


@asynccontextmanager
async def opened(*children):
    async with open_system(blueprint(*children)) as system:
        await wait_until_idle()
        yield system


async def handled(system, messages):
    """Wait until the echo has handled that many messages."""
    await wait_until_idle()
    with trio.fail_after(PATIENCE):
        while system.mailbox("echo").handled < messages:  # noqa: ASYNC110  # no event
            await trio.sleep(0.01)
    assert system.mailbox("echo").handled == messages


async def test_many_messages_take_few_passes():
    echo = component("echo", GUESTS / "echo.wat", can=everything())
    async with opened(echo, sender("echo", 64)) as system:
        fewest, turn = math.inf, 0
        # One pass for each would be 64 and more. A tick may fall into some turns.
        while fewest > 64 / 16 * 4 and turn < 100:
            turn += 1
            system.tell("sender", b"x")
            _, passes = await passes_of(partial(handled, system, 64 * turn))
            fewest = min(fewest, passes)
        assert fewest <= 64 / 16 * 4


async def test_they_arrive_in_their_order():
    notes, got = log()
    async with opened(notes, sender("log", 40)) as system:
        system.tell("sender", b"first")
        system.tell("sender", b"second")
        await wait_until_idle()
        assert got == [b"first"] * 40 + [b"second"] * 40


@pytest.mark.parametrize("room", [2, 3, 4, 8, 100])
async def test_a_sender_gives_way_before_there_is_no_room(room):
    """A mailbox that refuses what finds no room refuses nothing: its actor is quick."""
    strict, got = log(mailbox=room, overflow="fail")
    async with opened(strict, sender("log", 500)) as system:
        system.tell("sender", b"x")
        await wait_until_idle()
        assert len(got) == 500
        statistics = system.mailbox("log")
        assert statistics.refused == 0
        # It may send two more before the receiver has its turn.
        assert statistics.high_water <= min((room - 1) // 2, 16) + 2


async def test_one_that_sends_for_long_delays_no_other():
    async def slow(context, envelope):
        await trio.lowlevel.checkpoint()

    echo = component("echo", GUESTS / "echo.wat", can=everything())
    busy = actor("slow", slow, mailbox=100)
    endless = sender("slow", 4_000_000_000, shutdown=BRUTAL_KILL)
    async with opened(echo, busy, endless) as system:
        system.tell("sender", b"x")
        while system.mailbox("slow").handled < 200:
            assert await system.ask("echo", b"y") == b"y"
        assert system.mailbox("sender").in_hand == 1
