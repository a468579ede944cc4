"""What is kept for a listener that does not keep up is bounded in number and bytes."""

import pytest
import trio
from hypothesis import given, strategies as st

from airssys import Lag, blueprint, open_system
from airssys.contracts import ComponentId, DeadLetter, Logged, LogLevel
from airssys.system.events._backlog import Backlog
from airssys.system.events._event_fanout import EventFanout
from airssys.system.events._text_bytes import text_bytes
from airssys.testing import wait_until_idle

ALICE = ComponentId("test", "alice")


@given(
    st.integers(1, 5),
    st.integers(1, 100),
    st.lists(st.one_of(st.integers(0, 120), st.none()), max_size=40),
)
def test_what_is_pushed_stays_within_the_bounds_and_keeps_its_order(
    capacity, most_bytes, steps
):
    backlog, model, dropped, expected = Backlog(capacity, most_bytes), [], 0, 0
    for number, step in enumerate(steps):
        if step is None:
            if model:
                assert backlog.next_nowait() == model.pop(0)
            continue
        dropped += backlog.push((number, step), step)
        model.append((number, step))
        while len(model) > capacity or sum(s for _, s in model) > most_bytes:
            model.pop(0)
            expected += 1
        assert dropped == expected
        assert backlog._bytes == sum(s for _, s in model)
    assert [backlog.next_nowait() for _ in model] == model
    with pytest.raises(trio.WouldBlock):
        backlog.next_nowait()


async def test_writers_that_wait_for_room_come_in_order_and_none_overtakes(
    autojump_clock,
):
    backlog = Backlog(10, 100)
    assert backlog.add("a", 90)
    async with trio.open_nursery() as nursery:
        for name in ("b", "c"):
            nursery.start_soon(backlog.put, name, 50)
            await wait_until_idle()
        assert not backlog.add("d", 1)
        assert [await backlog.next() for _ in range(3)] == ["a", "b", "c"]
    assert backlog.add("d", 1000), "one alone always finds room"


async def test_one_that_gives_up_lets_in_the_next(autojump_clock):
    backlog = Backlog(10, 100)
    assert backlog.add("a", 60)
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1):
            nursery.start_soon(backlog_put_later, backlog)
            await backlog.put("large", 90)
    assert [backlog.next_nowait() for _ in range(2)] == ["a", "small"]


async def backlog_put_later(backlog):
    await trio.sleep(0.5)
    assert await backlog.put("small", 10)


async def test_its_end_wakes_all(autojump_clock):
    backlog = Backlog(1, 100)
    assert backlog.add("a", 1)
    kept = []
    async with trio.open_nursery() as nursery:

        async def put():
            kept.append(await backlog.put("b", 1))

        nursery.start_soon(put)
        await wait_until_idle()
        backlog.end()
    assert kept == [False]
    assert await backlog.next() == "a"
    with pytest.raises(trio.EndOfChannel):
        await backlog.next()


def test_events_that_are_not_read_are_bounded_in_bytes():
    fanout = EventFanout()
    stream = fanout.listen(kept_bytes=10_000)
    for _ in range(100):
        fanout.emit(Logged(ALICE, LogLevel.DEBUG, "x" * 1000, (("k", "v" * 1000),)))
    assert stream.dropped >= 95
    assert stream._kept._bytes <= 10_000


def test_why_a_letter_is_dead_is_short():
    letter = DeadLetter(ALICE, ALICE, 0, "x" * 10**6)
    assert len(letter.why) == 1000
    assert text_bytes(letter) < 5000


@pytest.mark.parametrize("lag", [Lag.DROP_OLDEST, Lag.DROP_NEWEST, Lag.DISCONNECT])
async def test_a_subscription_that_is_not_read_is_bounded_in_bytes(lag):
    async with open_system(blueprint()) as system:
        with system.subscribe("x", lag=lag, kept_bytes=1000) as found:
            for number in range(20):
                await system.publish("x", bytes([number]) * 300)
            assert found._kept._bytes <= 1000
            assert len(found._kept) == 3
            assert found.disconnected is (lag is Lag.DISCONNECT)
            first = found.next_nowait().payload[0]
            assert first == (17 if lag is Lag.DROP_OLDEST else 0)
        with pytest.raises(ValueError, match="kept_bytes must be 1"):
            system.subscribe("x", kept_bytes=0)


async def test_a_publisher_waits_for_bytes_of_one_that_blocks(autojump_clock):
    async with open_system(blueprint()) as system:
        with system.subscribe("x", lag=Lag.BLOCK, kept_bytes=1000) as found:
            await system.publish("x", bytes(800))
            with trio.move_on_after(1) as scope:
                await system.publish("x", bytes(800))
            assert scope.cancelled_caught
            assert len(found.next_nowait().payload) == 800
            with trio.fail_after(1):
                await system.publish("x", bytes(900))
