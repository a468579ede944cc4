"""A probe records what it gets and answers as told; events are waited for by name."""

import pytest
import trio

from airssys.contracts import (
    NO_BACKOFF,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    DeadLetter,
    ExitKind,
)
from airssys.dsl import actor, blueprint
from airssys.testing import EventRecord, Probe, watched_system
from pace import PATIENCE

CHILD = "local/probe/0"


def opened(*specs, record=None, **options):
    return watched_system(
        blueprint(*specs, **options), record if record is not None else EventRecord()
    )


def payloads(probe):
    return [envelope.payload for envelope in probe.received()]


async def test_it_answers_as_told_and_then_as_ever(autojump_clock):
    probe = Probe(answer=b"ever")

    async def think(context, envelope):
        await trio.sleep(1)
        return envelope.payload.upper()

    probe.will_answer(b"first", None, think)
    async with opened(probe.spec) as system:
        answers = [await system.ask("probe", b"%d x" % n) for n in range(5)]
    assert answers == [b"first", None, b"2 X", b"ever", b"ever"]
    assert payloads(probe) == [b"%d x" % n for n in range(5)]


async def test_a_crash_is_restarted_and_the_record_stays(autojump_clock):
    probe, record = Probe(answer=b"yes", backoff=NO_BACKOFF), EventRecord()
    probe.will_answer(ValueError("told to"))
    async with opened(probe.spec, record=record) as system:
        with trio.fail_after(PATIENCE):
            first = await record.next(ChildStarted, child=CHILD)
            with pytest.raises(CalleeFailed):
                await system.ask("probe", b"crash")
            again = await record.next(ChildStarted, child=CHILD)
        assert await system.ask("probe", b"still there?") == b"yes"
    assert (first.restarts, again.restarts) == (0, 1)
    assert payloads(probe) == [b"crash", b"still there?"]
    crash = record.of(ChildExited)[0]
    assert crash.reason.kind is ExitKind.CRASH


async def test_next_gives_each_message_once_and_waits_for_more(autojump_clock):
    probe = Probe()
    async with opened(probe.spec) as system:
        system.tell("probe", b"1")
        system.tell("probe", b"2")
        with trio.fail_after(PATIENCE):
            assert (await probe.next()).payload == b"1"
            assert (await probe.next()).payload == b"2"
        with trio.move_on_after(10) as scope:
            await probe.next()
        assert scope.cancelled_caught
        system.tell("probe", b"3")
        assert (await probe.next()).payload == b"3"


async def test_it_sees_what_another_actor_sends_and_from_whom(autojump_clock):
    probe = Probe("backend")

    async def forward(context, envelope):
        await context.send("backend", b"forwarded " + envelope.payload)

    async with opened(probe.spec, actor("front", forward)) as system:
        system.tell("front", b"x")
        envelope = await probe.next()
    assert envelope.payload == b"forwarded x"
    assert envelope.sender.name == "front"


async def test_an_event_that_never_comes_is_told_with_what_came(autojump_clock):
    record = EventRecord()
    with pytest.raises(AssertionError, match=r"no DeadLetter\(size=3\).*ended"):
        await record.next(DeadLetter, size=3)
    async with opened(Probe().spec, record=record):
        pass
    with pytest.raises(AssertionError, match=r"no DeadLetter.*ChildStarted"):
        await record.next(DeadLetter, size=3)
    assert record.all()


async def test_all_systems_are_recorded(autojump_clock):
    record = EventRecord()
    for _ in range(2):
        async with opened(Probe().spec, record=record):
            pass
    assert [event.child for event in record.of(ChildStarted)].count(CHILD) == 2
