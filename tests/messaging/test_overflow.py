"""What happens to a message that finds a mailbox full, or comes too large or too late."""

import pytest
import trio
from hypothesis import given, strategies as st

from airssys.contracts import (
    DeadLetter,
    DeadReason,
    DeliveryFailed,
    InvalidMessage,
    MailboxFull,
    MessageExpired,
    MessageTooLarge,
    Overflow,
    OverflowRules,
    Priority,
    rules_of,
)
from airssys.messaging.mailboxes._overflow import OverflowAction, decide


def payloads(mailbox):
    return [envelope.payload for envelope in mailbox.close()]


@pytest.fixture
def fill(world, names):
    """Open a mailbox for one message, with one message in it."""

    def fill(rules, priority=None):
        a, b, *_ = names
        mailbox = world.open(a, 1, rules)
        world.broker.tell(world.letter(a, b, b"old", priority=priority))
        return mailbox

    return fill


@given(st.sampled_from(Overflow), st.booleans())
def test_an_asker_always_gets_an_answer_or_an_error(policy, may_wait):
    action = decide(policy, may_wait=may_wait, is_ask=True)
    assert action in {
        OverflowAction.WAIT,
        OverflowAction.REFUSE,
        OverflowAction.DROP_OLDEST,
    }


@pytest.mark.parametrize(
    ("priority", "policy"),
    [
        (None, Overflow.BLOCK),
        (Priority.LOW, Overflow.DROP_NEWEST),
        (Priority.NORMAL, Overflow.FAIL),
        (Priority.HIGH, Overflow.BLOCK),
        (Priority.CRITICAL, Overflow.BLOCK),
    ],
)
def test_by_default_the_important_waits_and_the_unimportant_is_dropped(
    priority, policy
):
    assert OverflowRules().policy_of(priority) is policy


@pytest.mark.parametrize("policy", Overflow)
def test_one_policy_is_for_all_priorities(policy):
    rules = rules_of(policy)
    assert {rules.policy_of(priority) for priority in [None, *Priority]} == {policy}


@pytest.mark.parametrize("priority", [None, Priority.NORMAL, Priority.CRITICAL])
async def test_a_tell_never_waits(world, names, fill, priority):
    a, b, *_ = names
    mailbox = fill(OverflowRules())
    with pytest.raises(MailboxFull):
        world.broker.tell(world.letter(a, b, b"new", priority=priority))
    assert mailbox.statistics().refused == 1
    assert payloads(mailbox) == [b"old"]


async def test_a_send_fails_at_once_if_the_policy_says_so(world, names, fill):
    a, b, *_ = names
    fill(OverflowRules())
    with pytest.raises(MailboxFull):
        await world.broker.send(world.letter(a, b, b"new", priority=Priority.NORMAL))


async def test_a_message_of_low_priority_is_dropped_and_counted(world, names, fill):
    a, b, *_ = names
    mailbox = fill(OverflowRules())
    world.broker.tell(world.letter(a, b, b"new", priority=Priority.LOW))
    await world.broker.send(world.letter(a, b, b"new", priority=Priority.LOW))
    assert mailbox.statistics().dropped == 2
    assert world.events == []
    assert payloads(mailbox) == [b"old"]


async def test_the_oldest_makes_room_for_the_newest(world, names, fill):
    a, b, *_ = names
    mailbox = fill(rules_of(Overflow.DROP_OLDEST))
    world.broker.tell(world.letter(a, b, b"new"))
    assert mailbox.statistics().dropped == 1
    assert payloads(mailbox) == [b"new"]


async def test_what_may_not_be_dropped_makes_no_room(world, names, fill):
    a, b, *_ = names
    mailbox = fill(OverflowRules(low=Overflow.DROP_OLDEST), Priority.CRITICAL)
    world.broker.tell(world.letter(a, b, b"new", priority=Priority.LOW))
    assert mailbox.statistics().dropped == 1
    assert payloads(mailbox) == [b"old"]


async def test_an_ask_that_is_pushed_out_is_reported(served, names, nursery):
    a, b, c, *_ = names
    served.open(a, 1, rules_of(Overflow.DROP_OLDEST))
    errors = []

    async def ask():
        with pytest.raises(DeliveryFailed, match="dropped it for a newer") as failed:
            await served.ask(a, b)
        errors.append(failed.value)

    nursery.start_soon(ask)
    await trio.testing.wait_all_tasks_blocked()
    served.broker.tell(served.letter(a, c))
    await trio.testing.wait_all_tasks_blocked()
    assert len(errors) == 1


async def test_what_finds_no_room_may_become_a_dead_letter(world, names, fill):
    a, b, *_ = names
    mailbox = fill(rules_of(Overflow.DEAD_LETTER))
    await world.broker.send(world.letter(a, b, b"new"))
    (letter,) = world.events
    assert letter == DeadLetter(a, b, 3, "there was no room", DeadReason.NO_ROOM)
    assert letter.payload == b"new"
    assert mailbox.statistics().given_up == 1


@pytest.mark.parametrize(
    "policy", [Overflow.FAIL, Overflow.DROP_NEWEST, Overflow.DEAD_LETTER]
)
async def test_an_ask_without_room_is_refused(served, names, policy):
    a, b, *_ = names
    served.broker.tell(served.letter(served.open(a, 1, rules_of(policy)).owner, b))
    with pytest.raises(MailboxFull):
        await served.ask(a, b)
    assert served.events == []


async def test_a_message_may_be_as_large_as_its_target_takes(world, names):
    a, b, *_ = names
    mailbox = world.open(a, 10, message_bytes=4)
    world.broker.tell(world.letter(a, b, b"1234"))
    with pytest.raises(MessageTooLarge, match="5 bytes") as refused:
        world.broker.tell(world.letter(a, b, b"12345"))
    assert (refused.value.size, refused.value.limit) == (5, 4)
    assert isinstance(refused.value, InvalidMessage)
    assert payloads(mailbox) == [b"1234"]


async def test_by_default_a_message_may_have_a_mebibyte(world, names):
    a, b, *_ = names
    world.open(a)
    world.broker.tell(world.letter(a, b, bytes(2**20)))
    with pytest.raises(MessageTooLarge):
        world.broker.tell(world.letter(a, b, bytes(2**20 + 1)))


async def test_what_has_outlived_its_time_is_not_delivered(world, names):
    a, b, *_ = names
    mailbox = world.open(a)
    letter = world.letter(a, b, expires_at=trio.current_time())
    with pytest.raises(MessageExpired):
        world.broker.tell(letter)
    with pytest.raises(MessageExpired):
        await world.broker.send(letter)
    assert payloads(mailbox) == []


async def test_a_sender_waits_for_room_no_longer_than_its_message_lives(
    world, names, fill, autojump_clock
):
    a, b, *_ = names
    mailbox = fill(OverflowRules())
    began = trio.current_time()
    with pytest.raises(MessageExpired):
        await world.broker.send(world.letter(a, b, b"new", expires_at=began + 2))
    assert trio.current_time() == pytest.approx(began + 2)
    assert mailbox.statistics().withdrawn == 1
    assert payloads(mailbox) == [b"old"]
