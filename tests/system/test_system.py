"""What the program around a system can do with it."""

import random
import sys

import pytest
import trio

import airssys
from airssys.contracts import (
    Backoff,
    ComponentId,
    Logged,
    LogLevel,
    MailboxFull,
)
from airssys.system import OUTSIDE, EventStream
from airssys.system.events._event_fanout import EventFanout
from airssys.testing import wait_until_idle
from pace import finished
from tests.nursery.company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


async def tell_who(context, envelope):
    return f"{envelope.sender} {envelope.content_type}".encode()


async def test_messages_from_outside_say_so():
    async with running(python("who", tell_who)) as (system, _):
        answer = await system.ask("who", b"", content_type="text")
        assert answer == f"{OUTSIDE} text".encode()
        assert await system.ask("local/who/0", b"") == f"{OUTSIDE} None".encode()


class Fails:
    """Crashes over each message, and notes when it starts."""

    def __init__(self, starts):
        self.starts = starts

    async def started(self, context):
        self.starts.append(trio.current_time())

    async def handle(self, context, envelope):
        raise ValueError


async def pauses(seed):
    """How long an actor that crashes waits each time, in a system with that chance."""
    found, starts = [], []
    backoff = Backoff(first=10.0, cap=10.0, jitter=True)
    spec = python("fails", Fails, arguments=(starts,), backoff=backoff)
    async with running(spec, restarts=9, rng=random.Random(seed)) as (system, _):
        for _ in range(3):
            began = trio.current_time()
            system.tell("fails", b"")
            await trio.sleep(11)
            found.append(round(starts[-1] - began, 6))
    return found


async def test_jitter_comes_from_the_chance_that_is_given(autojump_clock):
    first = await pauses(1)
    assert first == await pauses(1) != await pauses(2)


async def test_targets_are_names_or_identities():
    async with running(python("who", tell_who)) as (system, _):
        who = ComponentId.parse("who")
        assert system.find("who") == system.find(who) == who
        assert system.find("nobody") is None
        assert await system.ask(who, b"") is not None
        with pytest.raises(ValueError, match="is not a valid identity"):
            system.tell("a/b", b"")


async def test_telling_does_not_wait_and_sending_does(autojump_clock):
    got = []

    async def slow(context, envelope):
        await trio.sleep(1)
        got.append(envelope.payload)

    async with running(python("slow", slow, mailbox=1)) as (system, _):
        system.tell("slow", b"1")
        await wait_until_idle()
        system.tell("slow", b"2")
        with pytest.raises(MailboxFull):
            system.tell("slow", b"3")
        await system.send("slow", b"4")
        assert trio.current_time() == pytest.approx(1)
        await trio.sleep(5)
    assert got == [b"1", b"2", b"4"]


def line(text):
    return Logged(OUTSIDE, LogLevel.INFO, text, ())


async def test_a_slow_listener_misses_the_oldest_and_gets_their_number():
    fanout = EventFanout()
    fast, slow = fanout.listen(100), fanout.listen(2)
    for number in range(5):
        fanout.emit(line(str(number)))
    fanout.close()
    assert [event.message async for event in fast] == list("01234")
    assert [event.message async for event in slow] == list("34")
    assert (fast.dropped, slow.dropped) == (0, 3)


async def test_listening_to_the_end_ends():
    async with running(python("who", tell_who)) as (system, _):
        stream = system.events()
    assert [type(event).__name__ async for event in stream] == ["ChildExited"]
    assert [event async for event in system.events()] == []


async def test_a_listener_that_left_costs_nothing():
    fanout = EventFanout()
    with fanout.listen() as stream:
        assert isinstance(stream, EventStream)
    fanout.emit(line("nobody"))
    assert fanout._listeners.streams == []
    assert [event async for event in stream] == []
    with pytest.raises(ValueError, match="capacity and kept_bytes must be 1"):
        fanout.listen(0)


@pytest.mark.parametrize("late", ["wasmtime", "airssys.security.audit"])
def test_importing_the_library_imports_nothing_that_few_need(late):
    code = f"import sys, airssys; sys.exit({late!r} in sys.modules)"
    assert finished([sys.executable, "-c", code]).returncode == 0


def test_the_door_is_sorted_and_complete():
    names = [name for name in airssys.__all__ if name != "__version__"]
    assert [n for n in names if not hasattr(airssys, n)] == []
    assert len(set(names)) == len(names)


async def test_correlation_ids_are_made_of_the_randomness_that_was_given():
    async def tell_id(context, envelope):
        return envelope.correlation_id.encode()

    options = {"randomness": lambda size: b"\xab" * size}
    async with running(python("who", tell_id), **options) as (system, _):
        assert await system.ask("who", b"") == b"ab" * 16
