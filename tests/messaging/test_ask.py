"""Asking: the answer, every other way an ask can end, and nothing left behind."""

import math

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from airssys.contracts import (
    CalleeFailed,
    DeadLetter,
    DeadReason,
    MessagingError,
    NotGranted,
    RequestWouldDeadlock,
    TargetNotFound,
)

LATE = "the answer came after its asker had stopped waiting"


def refuse(envelope):
    raise NotGranted("no")


@pytest.fixture
def start_ask(served, names, nursery):
    """Start an ask from a to b; its answer, or its error, ends up in the list."""

    async def ask(ends, scope, keywords):
        with scope:
            try:
                ends.append(await served.ask(names[1], names[0], b"?", **keywords))
            except MessagingError as error:
                ends.append(error)

    async def start(**keywords):
        ends, scope = [], trio.CancelScope()
        nursery.start_soon(ask, ends, scope, keywords)
        await wait_all_tasks_blocked()
        return ends, scope

    return start


async def test_an_ask_is_answered(served, names, nursery, serve_echo):
    a, b, *_ = names
    nursery.start_soon(serve_echo, served.open(b))
    with assert_checkpoints():
        assert await served.ask(b, a, b"hello") == b"hello"
    assert served.events == []


async def test_the_envelope_of_an_ask(served, names, start_ask, autojump_clock):
    a, b, *_ = names
    mailbox = served.open(b)
    await start_ask(timeout=7, content_type="text")
    letter = mailbox.take_nowait()
    assert (letter.target, letter.sender, letter.payload) == (b, a, b"?")
    assert letter.content_type == "text"
    assert letter.deadline == trio.current_time() + 7
    assert letter.sent_at_ns == 123
    assert letter.reply_to is None
    assert letter.correlation_id == letter.reply.correlation_id
    assert len(repr(letter)) < 1000
    letter.reply.answer(b"")


async def test_an_ask_without_limit_has_no_deadline(world, names, nursery):
    a, b, *_ = names
    mailbox = world.open(b)
    nursery.start_soon(lambda: world.ask(b, a, timeout=math.inf))
    letter = await mailbox.take()
    assert letter.deadline is None
    assert letter.reply.answer(None)


async def test_nothing_to_say_is_an_answer_too(served, names, start_ask):
    mailbox = served.open(names[1])
    ends, _ = await start_ask()
    mailbox.take_nowait().reply.answer(None)
    await wait_all_tasks_blocked()
    assert ends == [None]


async def test_an_ask_waits_and_counts_until_it_is_answered(served, names, start_ask):
    a, b, *_ = names
    mailbox = served.open(b)
    ends, _ = await start_ask()
    assert served.broker.pending_count == 1
    assert served.broker.waits.edges() == {(a, b)}
    mailbox.take_nowait().reply.answer(b"!")
    served.assert_at_rest()
    assert ends == []
    await wait_all_tasks_blocked()
    assert ends == [b"!"]


async def test_no_actor_can_wait_for_a_task_outside(served, names, start_ask):
    mailbox = served.open(names[1])
    await start_ask(waiter=None)
    assert served.broker.pending_count == 1
    assert served.broker.waits.edges() == frozenset()
    mailbox.take_nowait().reply.answer(b"!")


async def test_an_answer_can_be_given_once(served, names, start_ask):
    mailbox = served.open(names[1])
    ends, _ = await start_ask()
    reply = mailbox.take_nowait().reply
    assert reply.answer(b"first")
    assert not reply.answer(b"second")
    assert not reply.fail(ValueError())
    await wait_all_tasks_blocked()
    assert not reply.answer(b"third")
    assert ends == [b"first"]
    assert served.events == []


async def test_the_callee_may_fail_an_ask_with_its_own_error(served, names, start_ask):
    mailbox = served.open(names[1])
    ends, _ = await start_ask()
    reply, error = mailbox.take_nowait().reply, NotGranted("not for you")
    assert reply.fail(error)
    assert not reply.answer(b"")
    served.assert_at_rest()
    await wait_all_tasks_blocked()
    assert ends == [error]
    assert served.events == []


async def test_a_message_given_up_fails_its_ask(served, names, start_ask):
    a, b, *_ = names
    mailbox = served.open(b)
    ends, _ = await start_ask()
    served.broker.dead_letter(mailbox.take_nowait(), "b crashed")
    served.assert_at_rest()
    await wait_all_tasks_blocked()
    [error] = ends
    assert isinstance(error, CalleeFailed)
    assert (error.target, error.why) == (b, "b crashed")
    assert served.events == [DeadLetter(b, a, 1, "b crashed")]


async def test_a_message_given_up_after_its_answer_only_tells_observers(
    served, names, start_ask
):
    mailbox = served.open(names[1])
    ends, _ = await start_ask()
    letter = mailbox.take_nowait()
    letter.reply.answer(b"!")
    served.broker.dead_letter(letter, "crashed after answering")
    await wait_all_tasks_blocked()
    assert ends == [b"!"]
    assert len(served.events) == 1


async def test_a_queued_ask_fails_when_its_target_goes(served, names, start_ask):
    served.open(names[1])
    ends, _ = await start_ask()
    served.remove(names[1])
    await wait_all_tasks_blocked()
    assert isinstance(ends[0], CalleeFailed)


async def test_asking_a_name_that_is_not_there(served, names):
    a, b, *_ = names
    with pytest.raises(TargetNotFound):
        await served.ask(b, a)


async def test_asking_a_mailbox_that_is_closed_but_still_registered(served, names):
    a, b, *_ = names
    served.open(b).close()
    with pytest.raises(TargetNotFound):
        await served.ask(b, a)


async def test_gates_come_before_names_and_waits(served, names):
    a, *_ = names
    served.gates.append(refuse)
    with pytest.raises(NotGranted):
        await served.ask(a, a)


async def test_an_ask_cancelled_before_it_began_delivers_nothing(served, names):
    a, b, *_ = names
    mailbox = served.open(b)
    with trio.CancelScope() as scope:
        scope.cancel()
        await served.ask(b, a)
    assert scope.cancelled_caught
    assert mailbox.statistics().queued == 0


async def test_a_cancelled_ask_makes_its_answer_a_dead_letter_once(
    served, names, start_ask
):
    a, b, *_ = names
    mailbox = served.open(b)
    ends, scope = await start_ask()
    letter = mailbox.take_nowait()
    scope.cancel()
    served.assert_at_rest()
    await wait_all_tasks_blocked()
    assert ends == []
    assert not letter.reply.fail(ValueError())
    assert served.events == []
    assert not letter.reply.answer(b"late")
    assert not letter.reply.answer(b"later")
    assert served.events == [DeadLetter(a, b, 4, LATE, DeadReason.LATE_ANSWER)]


async def test_an_answered_ask_cannot_be_cancelled_any_more(served, names, start_ask):
    mailbox = served.open(names[1])
    ends, scope = await start_ask()
    mailbox.take_nowait().reply.answer(b"!")
    scope.cancel()
    await wait_all_tasks_blocked()
    assert ends == [b"!"]
    assert served.events == []


async def test_the_callee_may_ask_back_as_soon_as_it_has_answered(
    served, names, start_ask, nursery, serve_echo
):
    a, b, *_ = names
    mailbox = served.open(b)
    nursery.start_soon(serve_echo, served.open(a))
    await start_ask()
    mailbox.take_nowait().reply.answer(b"!")
    assert await served.ask(a, b, b"and you?") == b"and you?"


@pytest.fixture
def full(served, names):
    """The mailbox of `b`, with room for one message and one message in it."""
    mailbox = served.open(names[1], 1)
    served.broker.tell(served.letter(names[1], names[0], b"first"))
    return mailbox


async def test_an_ask_waits_for_room_like_a_send(served, names, full, start_ask):
    a, b, *_ = names
    asked = []
    served.gates.append(asked.append)
    ends, _ = await start_ask()
    assert full.statistics().blocked_senders == 1
    assert served.broker.waits.edges() == {(a, b)}
    full.take_nowait()
    full.release()
    assert served.broker.waits.edges() == {(a, b)}
    letter = full.take_nowait()
    assert asked == [letter, letter]
    letter.reply.answer(b"before its asker even ran again")
    await wait_all_tasks_blocked()
    assert ends == [b"before its asker even ran again"]


async def test_an_ask_cancelled_while_it_waits_for_room_delivers_nothing(
    served, full, start_ask
):
    ends, scope = await start_ask()
    scope.cancel()
    served.assert_at_rest()
    assert full.statistics().blocked_senders == 0
    await wait_all_tasks_blocked()
    assert ends == []


async def test_a_grant_lost_while_an_ask_waits_for_room(served, full, start_ask):
    ends, _ = await start_ask()
    served.gates.append(refuse)
    full.take_nowait()
    served.assert_at_rest()
    await wait_all_tasks_blocked()
    assert isinstance(ends[0], NotGranted)
    assert full.statistics().queued == 0


async def test_a_target_gone_while_an_ask_waits_for_room(
    served, names, full, start_ask
):
    ends, _ = await start_ask()
    served.remove(names[1])
    served.assert_at_rest()
    await wait_all_tasks_blocked()
    assert isinstance(ends[0], TargetNotFound)


async def test_a_task_outside_waits_for_room_too(served, full, start_ask):
    ends, _ = await start_ask(waiter=None)
    assert served.broker.waits.edges() == frozenset()
    full.take_nowait()
    full.release()
    full.take_nowait().reply.answer(b"!")
    await wait_all_tasks_blocked()
    assert ends == [b"!"]


async def test_an_actor_cannot_ask_itself(served, names):
    a, *_ = names
    mailbox = served.open(a)
    with pytest.raises(RequestWouldDeadlock) as refused:
        await served.ask(a, a)
    assert refused.value.path == (a, a)
    assert mailbox.statistics().queued == 0
