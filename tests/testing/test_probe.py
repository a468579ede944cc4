"""A probe records what it gets and answers as set; events are waited for by name."""

import itertools
import threading

import pytest
import trio
from trio.testing import MockClock

from airssys.contracts import (
    BRUTAL_KILL,
    NO_BACKOFF,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    DeadLetter,
    ExitKind,
    SupervisorGaveUp,
)
from airssys.dsl import actor, blueprint, task
from airssys.testing import EventRecord, Probe, steady_clock, watched_system
from pace import PATIENCE

CHILD = "local/probe/0"


def opened(*specs, record=None, **options):
    return watched_system(
        blueprint(*specs, **options), record if record is not None else EventRecord()
    )


def payloads(probe):
    return [envelope.payload for envelope in probe.received()]


async def test_it_answers_as_set_and_then_as_before(autojump_clock):
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
    probe.will_answer(ValueError("on purpose"))
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


async def test_it_sees_what_another_actor_sends_and_its_sender(autojump_clock):
    probe = Probe("backend")

    async def forward(context, envelope):
        await context.send("backend", b"forwarded " + envelope.payload)

    async with opened(probe.spec, actor("front", forward)) as system:
        system.tell("front", b"x")
        envelope = await probe.next()
    assert envelope.payload == b"forwarded x"
    assert envelope.sender.name == "front"


async def test_the_error_of_a_missing_event_lists_what_came(autojump_clock):
    record = EventRecord()
    with pytest.raises(AssertionError, match=r"no DeadLetter\(size=3\) can come"):
        await record.next(DeadLetter, size=3)
    async with opened(Probe().spec, record=record):
        pass
    with pytest.raises(
        AssertionError,
        match=r"(?s)no DeadLetter\(size=3\) came before the system ended;.*ChildStarted",
    ):
        await record.next(DeadLetter, size=3)
    assert record.all()


async def test_all_systems_are_recorded(autojump_clock):
    record = EventRecord()
    for _ in range(2):
        async with opened(Probe().spec, record=record):
            pass
    assert [event.child for event in record.of(ChildStarted)].count(CHILD) == 2


CLOCKS = pytest.mark.parametrize(
    "clock",
    [None, MockClock, steady_clock],
    ids=["real", "stands still", "jumps"],
)


def in_time_of(clock, main):
    trio.run(main, clock=clock() if callable(clock) else clock)


@CLOCKS
@pytest.mark.parametrize("busy", [False, True])
def test_an_event_that_does_not_come_ends_the_test_and_shows_what_came(clock, busy):
    """Also while actors go on and on, so that a clock that jumps jumps for ever."""
    record = EventRecord(patience=0.15)

    async def for_ever(context):
        context.started()
        for _ in itertools.count():
            await trio.sleep(3600)

    async def main():
        beside = (
            [task("beside", for_ever, context=True, shutdown=BRUTAL_KILL)]
            if busy
            else []
        )
        async with opened(Probe("one").spec, *beside, record=record):
            await record.next(ChildStarted, child="local/one/0")
            with pytest.raises(AssertionError) as failure:
                await record.next(ChildStarted, child="local/one/0", restarts=3)
            texts.append(str(failure.value))

    texts = []
    in_time_of(clock, main)
    first, *lines = texts[0].splitlines()
    assert first.startswith(
        "no ChildStarted(child='local/one/0', restarts=3) came in 0.15 s; "
    )
    if busy:
        assert first.endswith("what came since the last one that was waited for:")
        assert "ChildStarted(" in lines[0]
        assert "beside" in "".join(lines)


async def test_only_the_last_of_many_events_are_shown():
    record = EventRecord(patience=0.05)
    probe = Probe(answer=ValueError("on purpose"), backoff=NO_BACKOFF)
    async with opened(probe.spec, record=record, restarts=100) as system:
        for _ in range(40):
            system.tell("probe", b"")
        for _ in range(40):
            await probe.next()
        with pytest.raises(AssertionError) as failure:
            await record.next(SupervisorGaveUp)
        _, others, *lines = str(failure.value).splitlines()
        assert others == f"    ({len(record.all()) - len(lines)} others)"
        assert len(lines) == 30


async def test_what_comes_late_in_trios_time_is_waited_for(autojump_clock):
    record, probe = EventRecord(), Probe()

    async def day(context, envelope):
        await trio.sleep(86_400)
        raise ValueError("after a day")

    probe.will_answer(day)
    async with opened(probe.spec, record=record) as system:
        system.tell("probe", b"")
        assert (await record.next(ChildExited)).reason.kind is ExitKind.CRASH


async def test_a_thread_at_work_is_waited_for():
    record, done, never = EventRecord(patience=0.05), [], threading.Event()

    async def work():
        await trio.to_thread.run_sync(never.wait, 0.2)
        done.append(1)

    async with opened(Probe().spec, record=record), trio.open_nursery() as nursery:
        nursery.start_soon(work)
        with pytest.raises(AssertionError):
            await record.next(ChildExited)
        assert done


@CLOCKS
def test_a_message_that_does_not_come_ends_the_test(clock):
    probe = Probe("one")
    probe.patience = 0.05

    async def main():
        async with opened(probe.spec) as system:
            await system.ask("one", b"")
            await probe.next()
            with pytest.raises(
                AssertionError,
                match=r"no message came to local/one/0 in 0\.05 s, after 1 that were",
            ):
                await probe.next()

    in_time_of(clock, main)


async def test_a_record_of_nothing_waits_for_nothing():
    with pytest.raises(AssertionError, match="no system is open"):
        await EventRecord().next(ChildExited)


async def test_a_test_is_given_five_seconds_and_then_the_thread_ends():
    assert EventRecord().patience == Probe().patience == 5
    record = EventRecord()
    async with opened(Probe().spec, record=record):
        with trio.move_on_after(0):
            await record.next(ChildExited)
        counting = [t for t in threading.enumerate() if t.name == "airssys.testing"]
        for thread in counting:
            thread.join(PATIENCE)
            assert not thread.is_alive()
