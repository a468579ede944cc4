"""A mailbox is bounded in bytes, not only in messages."""

from contextlib import suppress

import pytest
import trio
import trio.testing
from hypothesis import given, strategies as st

from airssys.contracts import (
    ComponentId,
    Envelope,
    MailboxFull,
    Overflow,
    Priority,
    StashFull,
    TargetNotFound,
    rules_of,
)
from airssys.messaging import Mailbox
from mailbox_support import put, put_nowait

BOB, ALICE = ComponentId("test", "bob"), ComponentId("test", "alice")


def message(size, **more):
    return Envelope(BOB, ALICE, bytes(size), **more)


def mailbox(capacity=100, most_bytes=1000, policy=Overflow.BLOCK):
    return Mailbox(BOB, capacity, rules_of(policy), most_bytes=most_bytes)


def queued_bytes(box):
    return sum(len(e.payload) for e in box._queue)


def test_what_has_no_room_in_bytes_is_refused_and_says_so():
    box = mailbox()
    put_nowait(box, message(600))
    with pytest.raises(MailboxFull, match="1000 bytes, mailbox_bytes") as caught:
        put_nowait(box, message(600))
    assert caught.value.most_bytes == 1000
    put_nowait(box, message(400))
    assert box.is_full
    box.take_nowait()
    box.finish()
    put_nowait(box, message(600))


def test_a_message_that_is_larger_than_all_finds_room_alone():
    box = mailbox()
    put_nowait(box, message(5000))
    with pytest.raises(MailboxFull):
        put_nowait(box, message(10))
    put_nowait(box, message(2))  # too small to count
    box.take_nowait()


def test_small_messages_do_not_count_and_take_a_quarter():
    box = mailbox(capacity=100, most_bytes=1000)
    for _ in range(100):
        put_nowait(box, message(2))
    assert box._queued_bytes == 0
    with pytest.raises(MailboxFull, match="100 messages"):
        put_nowait(box, message(2))


async def test_a_sender_waits_for_bytes_and_none_overtakes(autojump_clock):
    box = mailbox()
    put_nowait(box, message(900))
    put_nowait(box, message(50))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, box, message(800))
        await trio.testing.wait_all_tasks_blocked()
        assert box.blocked_senders == (ALICE,)
        with pytest.raises(MailboxFull):
            put_nowait(box, message(1))
        nursery.start_soon(put, box, message(1))
        await trio.testing.wait_all_tasks_blocked()
        sizes = []
        for _ in range(4):
            sizes.append(len((await box.take()).payload))
            box.finish()
        assert sizes == [900, 50, 800, 1]


async def test_one_that_waits_behind_one_that_gave_up_comes_in_with_the_next_take(
    autojump_clock,
):
    box = mailbox()
    put_nowait(box, message(900))
    scope = trio.CancelScope()

    async def give_up():
        with scope:
            await put(box, message(900))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(put, box, message(20))
        await trio.testing.wait_all_tasks_blocked()
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        box.take_nowait()
        box.finish()
    assert [len(e.payload) for e in box._queue] == [20]


def test_the_oldest_are_dropped_until_there_is_room():
    box = mailbox(policy=Overflow.DROP_OLDEST)
    for size in (300, 301, 302):
        put_nowait(box, message(size))
    large = message(600, priority=Priority.NORMAL)
    box.overflow(large, may_wait=False)
    assert [len(e.payload) for e in box._queue] == [302, 600]
    assert box.statistics().dropped == 2


def test_the_stash_has_the_same_bound():
    box = mailbox()
    for _ in range(3):
        put_nowait(box, message(600))
        box.take_nowait()
        if box._stash.weight:
            break
        box.stash()
    with pytest.raises(StashFull, match="1000 bytes"):
        box.stash()
    box.finish()
    box.unstash_all()
    assert queued_bytes(box) == box._queued_bytes == 600


def test_a_closed_one_holds_nothing_and_says_so():
    box = mailbox()
    put_nowait(box, message(900))
    box.close()
    assert box._queued_bytes == 0
    with pytest.raises(TargetNotFound):
        put_nowait(box, message(1))


STEPS = st.lists(
    st.one_of(st.integers(0, 1200), st.sampled_from(["take", "stash", "unstash"])),
    max_size=60,
)


def heavy(box, envelopes):
    return [len(e.payload) for e in envelopes if len(e.payload) > box._share]


def take_step(box, step):
    if step == "take":
        box.take_next()
    elif step == "stash":
        try:
            box.stash()
        except StashFull:
            box.finish()
    elif step == "unstash":
        box.unstash_all()
    elif not box.offer(message(step)):
        with suppress(MailboxFull):
            box.overflow(message(step), may_wait=False)


@given(STEPS, st.sampled_from([Overflow.BLOCK, Overflow.DROP_OLDEST]))
def test_the_sum_is_what_is_queued_and_never_beyond_the_bound(steps, policy):
    box = mailbox(capacity=10, policy=policy)
    bound = 1000
    for step in steps:
        take_step(box, step)
        queued = heavy(box, box._queue)
        if step == "unstash":
            bound = 3000  # that needs no room
        assert box._queued_bytes == sum(queued) <= max([bound, *queued])
        stashed = heavy(box, box._stash.messages)
        assert box._stash.weight == sum(stashed) <= max([1000, *stashed])
