"""Dead letters as a stream with payloads; time to live and priority from outside."""

import pytest
import trio

from airssys import component
from airssys.contracts import (
    DeadLetter,
    DeadReason,
    InvalidMessage,
    MailboxFull,
    Overflow,
    OverflowRules,
    find_mistakes,
)
from airssys.dsl import actor, blueprint
from airssys.system import OUTSIDE
from airssys.system.events._streams import DeadLetterStream, Listeners
from airssys.testing import wait_until_idle
from tests.nursery.company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


async def slow(context, envelope):
    await trio.sleep(10)


def letter(size):
    return DeadLetter(OUTSIDE, OUTSIDE, size, "test", payload=bytes(size))


async def test_a_message_that_was_not_taken_in_time_is_a_dead_letter(autojump_clock):
    async with running(python("slow", slow)) as (system, watch):
        with system.dead_letters() as letters:
            system.tell("slow", b"first", ttl=1)
            system.tell("slow", b"second", content_type="text", ttl=1)
            system.tell("slow", b"third", ttl=100)
            found = await anext(letters)
            assert (found.payload, found.content_type) == (b"second", "text")
            assert found.reason is DeadReason.EXPIRED
            await trio.sleep(20)
            # The first one had been taken: its time to live does not cut it off.
            assert system.mailbox("slow").handled == 2
            assert letters.total == 1
    (event,) = watch.of(DeadLetter)
    assert (event.size, event.payload) == (6, b"")


async def test_the_priority_chooses_the_policy_of_the_actor(autojump_clock):
    busy = python("busy", slow, mailbox=1, overflow=OverflowRules(high=Overflow.FAIL))
    async with running(busy) as (system, _):
        await system.send("busy", b"first")
        await wait_until_idle()
        system.tell("busy", b"queued")
        system.tell("busy", b"dropped", priority="low")
        for priority in (None, "normal", "high", "critical"):
            with pytest.raises(MailboxFull):
                system.tell("busy", b"refused", priority=priority)
        with pytest.raises(MailboxFull):
            await system.ask("busy", b"refused", priority="high")
        counts = system.mailbox("busy")
        assert (counts.dropped, counts.refused, counts.arrived) == (1, 5, 8)
        assert counts.high_water == 1


@pytest.mark.parametrize("wrong", [{"priority": "urgent"}, {"priority": 3}])
@pytest.mark.parametrize("ttl", [None, -1, float("nan"), "3", True])
async def test_what_is_not_a_priority_or_ttl_is_refused(wrong, ttl):
    async with running(python("slow", slow)) as (system, _):
        with pytest.raises(InvalidMessage):
            system.tell("slow", b"", **wrong)
        if ttl is not None:
            with pytest.raises(InvalidMessage, match="ttl"):
                system.tell("slow", b"", ttl=ttl)


def test_a_stream_keeps_that_many_and_that_many_bytes_and_counts_the_rest():
    fanout = Listeners(DeadLetterStream)
    few, small = fanout.listen(2, 1000), fanout.listen(100, 10)
    for size in (1, 5, 6, 4):
        fanout.offer(letter(size))
    assert [few.next_nowait().size for _ in range(2)] == [6, 4]
    assert [small.next_nowait().size for _ in range(2)] == [6, 4]
    assert (few.total, few.dropped, small.dropped) == (4, 2, 2)
    with pytest.raises(trio.WouldBlock):
        few.next_nowait()
    fanout.close()
    with pytest.raises(trio.EndOfChannel):
        few.next_nowait()
    with pytest.raises(trio.EndOfChannel):
        fanout.listen(1, 1).next_nowait()


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0)])
def test_a_stream_keeps_something(bounds):
    with pytest.raises(ValueError, match="capacity and kept_bytes must be 1"):
        Listeners(DeadLetterStream).listen(*bounds)


async def test_a_stream_ends_with_its_block_and_with_the_system():
    async with running(python("slow", slow)) as (system, _):
        with system.dead_letters() as closed:
            pass
        open_still = system.dead_letters()
    assert [each async for each in closed] == []
    assert [each async for each in open_still] == []


def test_policies_are_read_from_words():
    one = actor("one", slow, overflow="drop-oldest", message_bytes=10)
    two = component("two", b"", overflow={"low": "fail", "high": Overflow.DEAD_LETTER})
    assert find_mistakes(blueprint(one, two)) == []
    assert one.overflow is Overflow.DROP_OLDEST
    assert two.overflow == OverflowRules(low=Overflow.FAIL, high=Overflow.DEAD_LETTER)


def test_all_mistakes_in_policies_are_reported():
    whole = blueprint(
        actor("a", slow, overflow="never", message_bytes=-1),
        actor("b", slow, overflow={"low": "never", "urgent": "block"}),
        actor("c", slow, overflow=3),
    )
    assert sorted(m.path.removeprefix("$.root") for m in find_mistakes(whole)) == [
        ".children[0].message_bytes",
        ".children[0].overflow",
        ".children[1].overflow.low",
        ".children[1].overflow.urgent",
        ".children[2].overflow",
    ]
