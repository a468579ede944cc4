"""One mailbox: order, room, the hand, closing, and being cancelled at each point."""

from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from airssys.contracts import (
    Envelope,
    MailboxFull,
    MessagingError,
    NotGranted,
    TargetNotFound,
)
from airssys.messaging import Mailbox, MailboxStatistics
from airssys.messaging.mailboxes._blocked_senders import wait_for_room
from mailbox_support import put, put_nowait


@pytest.fixture
def make_mailbox(names):
    return lambda capacity=10: Mailbox(names[0], capacity)


@pytest.fixture
def letters(names):
    a, b, *_ = names
    return [Envelope(a, b, bytes([number])) for number in range(6)]


def drain(mailbox):
    taken = []
    while mailbox.statistics().queued:
        taken.append(mailbox.take_nowait())
        mailbox.release()
    return taken


@pytest.mark.parametrize("capacity", [0, -1, 1.5, True, "3", None])
def test_a_capacity_is_a_whole_number_above_zero(names, capacity):
    with pytest.raises(ValueError, match="whole number above 0"):
        Mailbox(names[0], capacity)


def test_messages_come_out_in_order(make_mailbox, letters):
    mailbox = make_mailbox()
    for letter in letters:
        put_nowait(mailbox, letter)
    assert drain(mailbox) == letters


def test_a_full_mailbox_refuses_and_keeps_what_it_has(make_mailbox, letters):
    mailbox = make_mailbox(2)
    put_nowait(mailbox, letters[0])
    assert not mailbox.is_full
    put_nowait(mailbox, letters[1])
    assert mailbox.is_full
    with pytest.raises(MailboxFull) as full:
        put_nowait(mailbox, letters[2])
    assert (full.value.target, full.value.capacity) == (mailbox.owner, 2)
    assert drain(mailbox) == letters[:2]


def test_statistics_count_what_is_there_and_the_most_there_was(make_mailbox, letters):
    mailbox = make_mailbox(4)
    for letter in letters[:3]:
        put_nowait(mailbox, letter)
    mailbox.take_nowait()
    assert mailbox.statistics() == MailboxStatistics(
        queued=2, in_hand=1, capacity=4, high_water=3
    )


def test_one_message_is_being_handled_until_released(make_mailbox, letters):
    mailbox = make_mailbox()
    put_nowait(mailbox, letters[0])
    put_nowait(mailbox, letters[1])
    assert mailbox.in_hand is None
    assert mailbox.release() is None
    assert mailbox.take_nowait() is letters[0]
    assert mailbox.in_hand is letters[0]
    with pytest.raises(trio.BusyResourceError):
        mailbox.take_nowait()
    assert mailbox.release() is letters[0]
    assert mailbox.in_hand is None
    assert mailbox.take_nowait() is letters[1]


def test_an_empty_mailbox_would_block(make_mailbox):
    with pytest.raises(trio.WouldBlock):
        make_mailbox().take_nowait()


def test_closing_hands_out_the_message_being_handled_and_the_queue_once(
    make_mailbox, letters
):
    mailbox = make_mailbox()
    for letter in letters:
        put_nowait(mailbox, letter)
    mailbox.take_nowait()
    assert mailbox.close() == tuple(letters)
    assert mailbox.in_hand is None
    assert mailbox.statistics().queued == 0
    assert mailbox.close() == ()


async def test_a_closed_mailbox_neither_takes_nor_gives(make_mailbox, letters):
    mailbox = make_mailbox(1)
    assert mailbox.close() == ()
    with pytest.raises(TargetNotFound):
        put_nowait(mailbox, letters[0])
    with pytest.raises(TargetNotFound):
        await put(mailbox, letters[0])
    with pytest.raises(trio.ClosedResourceError):
        mailbox.take_nowait()
    with pytest.raises(trio.ClosedResourceError):
        await mailbox.take()


async def test_take_waits_for_a_message(make_mailbox, letters, nursery):
    mailbox, taken = make_mailbox(), []

    async def taker():
        taken.append(await mailbox.take())

    nursery.start_soon(taker)
    await wait_all_tasks_blocked()
    assert taken == []
    put_nowait(mailbox, letters[0])
    await wait_all_tasks_blocked()
    assert taken == [letters[0]]
    assert mailbox.in_hand is letters[0]


async def test_a_woken_taker_cannot_be_cancelled_any_more(
    make_mailbox, letters, nursery
):
    mailbox, taken = make_mailbox(), []

    async def taker(scope):
        with scope:
            taken.append(await mailbox.take())

    nursery.start_soon(taker, scope := trio.CancelScope())
    await wait_all_tasks_blocked()
    put_nowait(mailbox, letters[0])
    scope.cancel()
    await wait_all_tasks_blocked()
    assert taken == [letters[0]]


async def test_a_cancelled_taker_leaves_messages_to_the_next(
    make_mailbox, letters, nursery
):
    mailbox = make_mailbox()
    with trio.CancelScope() as scope:
        nursery.start_soon(cancel_when_blocked, scope)
        await mailbox.take()
    assert scope.cancelled_caught
    put_nowait(mailbox, letters[0])
    assert mailbox.in_hand is None
    assert await mailbox.take() is letters[0]


async def cancel_when_blocked(scope):
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_take_is_a_checkpoint_that_takes_nothing_when_cancelled(
    make_mailbox, letters
):
    mailbox = make_mailbox()
    put_nowait(mailbox, letters[0])
    with trio.CancelScope() as scope:
        scope.cancel()
        await mailbox.take()
    assert scope.cancelled_caught
    assert mailbox.in_hand is None
    with trio.testing.assert_checkpoints():
        await mailbox.take()


async def test_only_one_task_takes(make_mailbox, letters, nursery):
    mailbox = make_mailbox()
    nursery.start_soon(mailbox.take)
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await mailbox.take()
    put_nowait(mailbox, letters[0])
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await mailbox.take()
    assert mailbox.in_hand is letters[0]


async def test_a_taker_whose_message_was_taken_away_waits_on(
    make_mailbox, letters, nursery
):
    mailbox, taken = make_mailbox(), []

    async def taker():
        taken.append(await mailbox.take())

    nursery.start_soon(taker)
    await wait_all_tasks_blocked()
    put_nowait(mailbox, letters[0])
    mailbox.take_nowait()
    mailbox.release()
    await wait_all_tasks_blocked()
    assert taken == []
    put_nowait(mailbox, letters[1])
    await wait_all_tasks_blocked()
    assert taken == [letters[1]]


@pytest.mark.parametrize("woken", [False, True])
async def test_closing_ends_a_parked_taker(make_mailbox, letters, woken):
    mailbox = make_mailbox()

    async def taker():
        with pytest.raises(trio.ClosedResourceError):
            await mailbox.take()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(taker)
        await wait_all_tasks_blocked()
        if woken:
            put_nowait(mailbox, letters[0])
        assert mailbox.close() == tuple(letters[:woken])


async def test_put_with_room_delivers_at_once_and_checks_in(make_mailbox, letters):
    mailbox = make_mailbox()
    with trio.testing.assert_checkpoints():
        await put(mailbox, letters[0])
    assert drain(mailbox) == letters[:1]


async def test_a_cancelled_put_delivers_nothing(make_mailbox, letters):
    mailbox = make_mailbox()
    with trio.CancelScope() as scope:
        scope.cancel()
        await put(mailbox, letters[0])
    assert scope.cancelled_caught
    assert mailbox.statistics().queued == 0


async def test_blocked_senders_get_the_room_in_order_and_none_overtakes(
    make_mailbox, letters, nursery
):
    mailbox = make_mailbox(1)
    put_nowait(mailbox, letters[0])
    for letter in letters[1:4]:
        nursery.start_soon(put, mailbox, letter)
        await wait_all_tasks_blocked()
    assert mailbox.statistics().blocked_senders == 3
    taken = []
    for _ in range(4):
        taken.append(mailbox.take_nowait())
        mailbox.release()
        if mailbox.statistics().queued:
            with pytest.raises(MailboxFull):
                put_nowait(mailbox, letters[5])
    assert taken == letters[:4]
    assert mailbox.statistics().high_water == 1


async def test_a_sender_cancelled_while_blocked_delivers_nothing(
    make_mailbox, letters, nursery
):
    mailbox = make_mailbox(1)
    put_nowait(mailbox, letters[0])
    with trio.CancelScope() as scope:
        nursery.start_soon(cancel_when_blocked, scope)
        await put(mailbox, letters[1])
    assert scope.cancelled_caught
    assert mailbox.statistics().blocked_senders == 0
    assert drain(mailbox) == letters[:1]


async def test_a_sender_whose_message_was_let_in_cannot_be_cancelled_any_more(
    make_mailbox, letters, nursery
):
    mailbox, done = make_mailbox(1), []
    put_nowait(mailbox, letters[0])

    async def sender(scope):
        with scope:
            await put(mailbox, letters[1])
            done.append(letters[1])

    nursery.start_soon(sender, scope := trio.CancelScope())
    await wait_all_tasks_blocked()
    mailbox.take_nowait()
    scope.cancel()
    await wait_all_tasks_blocked()
    assert done == [letters[1]]
    mailbox.release()
    assert drain(mailbox) == [letters[1]]


async def test_closing_refuses_blocked_senders(make_mailbox, letters):
    mailbox = make_mailbox(1)
    put_nowait(mailbox, letters[0])

    async def sender(letter):
        with pytest.raises(TargetNotFound) as refused:
            await put(mailbox, letter)
        assert refused.value.target == mailbox.owner

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender, letters[1])
        nursery.start_soon(sender, letters[2])
        await wait_all_tasks_blocked()
        assert mailbox.close() == (letters[0],)


def refuse(error, letter):
    raise error


@pytest.mark.parametrize("error", [NotGranted("no"), ZeroDivisionError()])
async def test_one_that_is_refused_after_waiting_makes_room_for_the_next(
    make_mailbox, letters, error
):
    mailbox = make_mailbox(1)
    put_nowait(mailbox, letters[0])

    async def unlucky():
        with pytest.raises(type(error)):
            await wait_for_room(mailbox, letters[1], partial(refuse, error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(unlucky)
        await wait_all_tasks_blocked()
        nursery.start_soon(put, mailbox, letters[2])
        await wait_all_tasks_blocked()
        assert drain(mailbox) == [letters[0], letters[2]]


async def test_the_end_of_a_wait_is_reported_before_anything_else_runs(
    make_mailbox, letters
):
    mailbox, ends, errors = make_mailbox(1), [], []
    put_nowait(mailbox, letters[0])

    async def sender(number, recheck, scope):
        with scope:
            try:
                await wait_for_room(
                    mailbox, letters[number], recheck, lambda: ends.append(number)
                )
            except MessagingError as error:
                errors.append(type(error))

    refusal = partial(refuse, NotGranted())
    async with trio.open_nursery() as nursery:
        scopes = [trio.CancelScope() for _ in range(4)]
        for index, recheck in enumerate([None, refusal, None, None]):
            nursery.start_soon(sender, index + 1, recheck, scopes[index])
            await wait_all_tasks_blocked()
        scopes[0].cancel()
        assert ends == [1]
        mailbox.take_nowait()
        assert ends == [1, 2, 3]
        mailbox.close()
        assert ends == [1, 2, 3, 4]
    assert sorted(errors, key=str) == sorted([NotGranted, TargetNotFound], key=str)


@pytest.mark.parametrize("attempt", range(20))
async def test_cancelled_while_checking_in_what_was_done_stays_done(
    make_mailbox, letters, attempt
):
    """Trio runs tasks in random order, so that several attempts meet both orders."""
    mailbox, done = make_mailbox(), []

    async def send(scope):
        with scope:
            await put(mailbox, letters[1])
            done.append("put")

    async def take(scope):
        with scope:
            await mailbox.take()
            done.append("taken")

    put_nowait(mailbox, letters[0])
    async with trio.open_nursery() as nursery:
        scopes = [trio.CancelScope(), trio.CancelScope()]
        nursery.start_soon(send, scopes[0])
        nursery.start_soon(take, scopes[1])
        await trio.lowlevel.checkpoint()
        for scope in scopes:
            scope.cancel()
    assert ("taken" in done) == (mailbox.in_hand is not None)
    assert ("put" in done) == (letters[1] in mailbox.close())


@pytest.mark.parametrize("verdict", [None, NotGranted("no")])
async def test_a_recheck_may_close_the_mailbox(make_mailbox, letters, verdict):
    mailbox, left = make_mailbox(1), []
    put_nowait(mailbox, letters[0])

    def recheck(letter):
        assert mailbox.is_full
        with pytest.raises(MailboxFull):
            put_nowait(mailbox, letters[5])
        left.extend(mailbox.close())
        if verdict is not None:
            raise verdict

    async def sender():
        with pytest.raises(TargetNotFound):
            await wait_for_room(mailbox, letters[1], recheck)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sender)
        await wait_all_tasks_blocked()
        mailbox.take_nowait()
    assert left == [letters[0]]
    assert mailbox.statistics().queued == 0
