"""Telling and sending: gates, names, room, order; and messages given up."""

import math
import os

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from airssys.contracts import (
    AskTimedOut,
    DeadLetter,
    Envelope,
    MailboxFull,
    MessagingError,
    NotGranted,
    Priority,
    RequestWouldDeadlock,
    TargetNotFound,
)
from airssys.messaging import Admission, Broker, Registry


def refuse(envelope):
    raise NotGranted("no")


def payloads(mailbox):
    taken = []
    while mailbox.statistics().queued:
        taken.append(mailbox.take_nowait().payload)
        mailbox.release()
    return taken


def test_a_signed_envelope_carries_the_wall_clock(world, names):
    a, b, *_ = names
    letter = world.letter(a, b, b"hello", content_type="text", reply_to=b, deadline=5.0)
    assert (letter.target, letter.sender, letter.payload) == (a, b, b"hello")
    assert (letter.content_type, letter.reply_to, letter.deadline) == ("text", b, 5.0)
    assert letter.sent_at_ns == 123
    assert letter.correlation_id is None
    assert letter.reply is None


def test_only_who_expects_a_reply_gets_a_correlation(world, names):
    a, b, *_ = names
    fresh = world.letter(a, b, reply=object()).correlation_id
    assert len(fresh) == 32
    int(fresh, 16)
    given = world.letter(a, b, reply=object(), correlation_id="mine")
    assert given.correlation_id == "mine"


def test_correlation_ids_never_come_twice(world, make_world):
    one, other = world.broker, make_world().broker
    ids = {
        broker.fresh_correlation_id() for broker in (one, other) for _ in range(1000)
    }
    assert len(ids) == 2000


def test_correlation_ids_are_made_of_the_randomness_that_was_given():
    asked = []

    def counting(size):
        asked.append(size)
        return bytes([len(asked)]) * size

    broker = Broker(
        Admission(Registry()), events=print, wall_clock=int, randomness=counting
    )
    ids = [broker.fresh_correlation_id() for _ in range(257)]
    assert ids == ["01" * 16] * 256 + ["02" * 16]
    assert asked == [16 * 256] * 2, "one call serves many ids"


def test_too_little_randomness_is_refused():
    broker = Broker(
        Admission(Registry()), events=print, wall_clock=int, randomness=lambda _: b""
    )
    with pytest.raises(ValueError, match="0 bytes instead of 4096"):
        broker.fresh_correlation_id()


def test_by_default_the_randomness_is_the_kernels():
    broker = Broker(Admission(Registry()), events=print, wall_clock=int)
    assert broker.randomness is os.urandom


def test_a_broker_without_gates_delivers(names):
    a, b, *_ = names
    broker = Broker(Admission(Registry()), events=print, wall_clock=int)
    with pytest.raises(TargetNotFound):
        broker.tell(broker.sign(a, b, b""))


def test_tell_delivers_in_order(world, names):
    a, b, *_ = names
    mailbox = world.open(a)
    for number in range(5):
        world.broker.tell(world.letter(a, b, bytes([number])))
    assert payloads(mailbox) == [bytes([number]) for number in range(5)]


def test_tell_raises_what_keeps_the_message_from_its_target(world, names):
    a, b, *_ = names
    with pytest.raises(TargetNotFound):
        world.broker.tell(world.letter(a, b))
    mailbox = world.open(a, 1)
    world.broker.tell(world.letter(a, b, b"first"))
    with pytest.raises(MailboxFull):
        world.broker.tell(world.letter(a, b))
    world.gates.append(refuse)
    with pytest.raises(NotGranted):
        world.broker.tell(world.letter(a, b))
    assert payloads(mailbox) == [b"first"]
    assert world.events == []


async def test_gates_are_asked_in_order_before_the_name_is_looked_up(names):
    a, b, *_ = names
    asked = []

    def gate(envelope):
        asked.append(envelope.payload)

    def last(envelope):
        raise NotGranted("last")

    broker = Broker(
        Admission(Registry(), (gate, gate, last, gate)), events=print, wall_clock=int
    )
    with pytest.raises(NotGranted):
        await broker.send(broker.sign(a, b, b"?"))
    with pytest.raises(NotGranted):
        broker.tell(broker.sign(a, b, b"!"))
    assert asked == [b"?", b"?", b"!", b"!"]


async def test_send_with_room_delivers_and_checks_in(world, names):
    a, b, *_ = names
    mailbox = world.open(a)
    with assert_checkpoints():
        await world.broker.send(world.letter(a, b, b"x"))
    assert payloads(mailbox) == [b"x"]


async def test_a_cancelled_send_delivers_nothing_and_passes_no_gate(world, names):
    a, b, *_ = names
    mailbox = world.open(a)
    world.gates.append(refuse)
    with trio.CancelScope() as scope:
        scope.cancel()
        await world.broker.send(world.letter(a, b))
    assert scope.cancelled_caught
    assert payloads(mailbox) == []


@pytest.mark.parametrize("attempt", range(20))
async def test_a_send_cancelled_while_checking_in_has_delivered(world, names, attempt):
    """Trio runs tasks in random order, so that several attempts meet both orders."""
    a, b, *_ = names
    mailbox, sent = world.open(a), []

    async def send(scope):
        with scope:
            await world.broker.send(world.letter(a, b, b"x"))
            sent.append(b"x")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send, scope := trio.CancelScope())
        await trio.lowlevel.checkpoint()
        scope.cancel()
    assert payloads(mailbox) == sent


async def test_send_to_a_name_that_is_not_there(world, names):
    a, b, *_ = names
    with pytest.raises(TargetNotFound):
        await world.broker.send(world.letter(a, b))


@pytest.fixture
def full(world, names):
    """The mailbox of `a`, with room for one message and one message in it."""
    mailbox = world.open(names[0], 1)
    world.broker.tell(world.letter(names[0], names[1], b"first"))
    return mailbox


@pytest.fixture
def start_send(world, names, nursery):
    """Start a send from b to a; what it raised, or None, ends up in the list."""

    async def send(payload, ends, scope):
        with scope:
            try:
                await world.broker.send(world.letter(names[0], names[1], payload))
            except MessagingError as error:
                ends.append(type(error))
            else:
                ends.append(None)

    async def start(payload):
        ends, scope = [], trio.CancelScope()
        nursery.start_soon(send, payload, ends, scope)
        await wait_all_tasks_blocked()
        return ends, scope

    return start


async def test_a_send_that_waits_for_room_is_an_edge_until_it_is_delivered(
    world, names, full, start_send
):
    a, b, *_ = names
    ends, _ = await start_send(b"second")
    assert ends == []
    assert world.broker.waits.edges() == {(b, a)}
    assert full.take_nowait().payload == b"first"
    assert world.broker.waits.edges() == frozenset()
    await wait_all_tasks_blocked()
    assert ends == [None]
    full.release()
    assert payloads(full) == [b"second"]


async def test_tell_does_not_overtake_a_message_that_waits(
    world, names, full, start_send
):
    a, b, *_ = names
    await start_send(b"second")
    full.take_nowait()
    with pytest.raises(MailboxFull):
        world.broker.tell(world.letter(a, b, b"third"))
    full.release()
    assert payloads(full) == [b"second"]


async def test_a_blocked_send_can_be_cancelled(world, full, start_send):
    ends, scope = await start_send(b"second")
    scope.cancel()
    assert world.broker.waits.edges() == frozenset()
    await wait_all_tasks_blocked()
    assert ends == []
    assert payloads(full) == [b"first"]


async def test_a_send_that_waited_passes_the_gates_again(world, full, start_send):
    asked = []
    world.gates.append(asked.append)
    ends, _ = await start_send(b"second")
    full.take_nowait()
    await wait_all_tasks_blocked()
    assert ends == [None]
    assert [letter.payload for letter in asked] == [b"second"] * 2
    assert asked[0] is asked[1]


async def test_a_grant_lost_while_waiting_is_lost(world, full, start_send):
    ends, _ = await start_send(b"second")
    world.gates.append(refuse)
    full.take_nowait()
    full.release()
    assert world.broker.waits.edges() == frozenset()
    await wait_all_tasks_blocked()
    assert ends == [NotGranted]
    assert payloads(full) == []


@pytest.mark.parametrize("replaced", [False, True])
async def test_a_name_lost_while_waiting_is_not_found(
    world, names, full, start_send, replaced
):
    ends, _ = await start_send(b"second")
    world.registry.unregister(names[0])
    other = world.open(names[0]) if replaced else None
    full.take_nowait()
    await wait_all_tasks_blocked()
    assert ends == [TargetNotFound]
    assert other is None or payloads(other) == []


async def test_a_mailbox_closed_while_waiting_is_not_found(world, full, start_send):
    ends, _ = await start_send(b"second")
    full.close()
    assert world.broker.waits.edges() == frozenset()
    await wait_all_tasks_blocked()
    assert ends == [TargetNotFound]


async def test_waiting_for_room_of_ones_own_is_refused(world, names, full):
    a, *_ = names
    with pytest.raises(RequestWouldDeadlock) as refused:
        await world.broker.send(world.letter(a, a))
    assert refused.value.path == (a, a)


async def test_messages_of_one_sender_keep_their_order_through_a_blocked_send(
    world, names, nursery
):
    a, b, *_ = names
    mailbox = world.open(a, 2)

    async def sender():
        for number in range(50):
            await world.broker.send(world.letter(a, b, bytes([number])))

    nursery.start_soon(sender)
    taken = []
    while len(taken) < 50:
        taken.append((await mailbox.take()).payload)
        mailbox.release()
    assert taken == [bytes([number]) for number in range(50)]


def test_a_dead_letter_is_reported_to_observers(world, names):
    a, b, *_ = names
    world.broker.dead_letter(world.letter(a, b, b"12345"), "it was not wanted")
    assert world.events == [DeadLetter(a, b, 5, "it was not wanted")]


async def test_no_keyboard_interrupt_falls_into_a_delivery(world, names, nursery):
    a, b, *_ = names
    protected = []
    world.gates.append(
        lambda _: protected.append(trio.lowlevel.currently_ki_protected())
    )
    assert not trio.lowlevel.currently_ki_protected()
    mailbox = world.open(a, 1)
    world.broker.tell(world.letter(a, b))
    mailbox.take_nowait()
    mailbox.release()
    await world.broker.send(world.letter(a, b))
    nursery.start_soon(lambda: world.ask(a, b, timeout=math.inf))
    await wait_all_tasks_blocked()
    mailbox.take_nowait()
    mailbox.release()
    mailbox.take_nowait().reply.answer(b"")
    assert protected == [True] * 4


async def test_what_a_broker_makes_has_each_field_in_its_place(served, names, nursery):
    world, (target, sender) = served, names[:2]
    options = {
        "content_type": "text/plain",
        "correlation_id": "c",
        "reply_to": sender,
        "deadline": 2.5,
        "priority": Priority.HIGH,
        "expires_at": 3.5,
    }
    wanted = Envelope(target, sender, b"x", sent_at_ns=123, **options)
    assert world.letter(target, sender, b"x", **options) == wanted
    mailbox = world.open(target)
    with pytest.raises(AskTimedOut):
        await world.ask(target, sender, b"?", timeout=0, priority=Priority.LOW, key="k")
    asked = mailbox.take_nowait()
    assert asked == Envelope(
        target,
        sender,
        b"?",
        correlation_id=asked.correlation_id,
        deadline=asked.deadline,
        sent_at_ns=123,
        reply=asked.reply,
        priority=Priority.LOW,
        key="k",
    )
    assert asked.reply is not None
