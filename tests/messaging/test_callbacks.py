"""Callbacks and subscriptions of one actor, without supervision."""

from contextlib import suppress

import pytest
import trio
import trio.testing

from airssys.contracts import (
    Callback,
    DeadLetter,
    InvalidMessage,
    MailboxFull,
    NotGranted,
    Overflow,
    TooManyRequests,
    rules_of,
)
from airssys.messaging import ActorSubscriber, OpenRequests, Publishing
from airssys.messaging.publishing._publishing import MAX_PATTERNS


@pytest.fixture
def pair(served, names):
    """Two actors, and the requests of the first one."""
    a, b = names[:2]
    mine, theirs = served.open(a, capacity=2), served.open(b)
    requests = OpenRequests(served.broker, mine, 5)
    yield served, requests, mine, theirs
    requests.close()


def drain(mailbox):
    taken = []
    while True:
        try:
            taken.append(mailbox.take_nowait())
        except trio.WouldBlock:
            return taken
        mailbox.release()


async def test_callbacks_and_messages_are_taken_in_turns(pair):
    world, requests, mine, theirs = pair
    for _ in range(4):
        requests.request(theirs.owner, b"", 10)
    for number, question in enumerate(drain(theirs)):
        question.reply.answer(str(number).encode())
    for word in (b"x", b"y"):
        world.broker.tell(world.letter(mine.owner, theirs.owner, word))
    with pytest.raises(MailboxFull):
        world.broker.tell(world.letter(mine.owner, theirs.owner))
    taken = drain(mine)
    assert [each.payload for each in taken] == [b"0", b"x", b"1", b"y", b"2", b"3"]
    assert [isinstance(each, Callback) for each in taken] == [1, 0, 1, 0, 1, 1]


@pytest.mark.parametrize("policy", Overflow)
async def test_no_policy_applies_to_callbacks_and_they_are_counted(
    served, names, policy
):
    mine = served.open(names[0], 1, rules_of(policy), message_bytes=0)
    theirs = served.open(names[1])
    requests = OpenRequests(served.broker, mine, 5)
    for _ in range(3):
        requests.request(theirs.owner, b"", 10)
    for _ in range(2):
        with suppress(MailboxFull):
            served.broker.tell(served.letter(mine.owner, theirs.owner))
    for question in drain(theirs):
        question.reply.answer(b"an answer")
    counts = mine.statistics()
    assert (counts.queued, counts.callbacks, counts.arrived) == (1, 3, 5)
    assert sum(isinstance(each, Callback) for each in drain(mine)) == 3
    counts = mine.statistics()
    assert (counts.handled, counts.callbacks, counts.arrived) == (4, 0, 5)
    requests.request(theirs.owner, b"", 10)
    drain(theirs)[0].reply.answer(b"too late")
    requests.close()
    assert mine.statistics().arrived == 6
    assert mine.close() == ()


async def test_a_callback_wakes_the_one_that_waits(pair, nursery):
    _, requests, mine, theirs = pair
    name = requests.request(theirs.owner, b"", 10)
    found = []

    async def take():
        found.append(await mine.take())

    nursery.start_soon(take)
    await trio.testing.wait_all_tasks_blocked()
    theirs.take_nowait().reply.answer(b"hi")
    await trio.testing.wait_all_tasks_blocked()
    assert found[0].correlation_id == name
    mine.release()


async def test_the_limit_holds_until_the_callback_was_taken(pair):
    _, requests, mine, theirs = pair
    ids = [requests.request(theirs.owner, b"", 10) for _ in range(5)]
    for question in drain(theirs):
        question.reply.answer(b"")
    with pytest.raises(InvalidMessage):
        requests.cancel(ids[0])
    with pytest.raises(TooManyRequests):
        requests.request(theirs.owner, b"", 10)
    requests.note_taken(mine.take_nowait())
    requests.request(theirs.owner, b"", 10)
    mine.release()
    assert len(set(ids)) == len(ids)


async def test_what_could_not_be_handed_over_is_not_pending(pair):
    world, requests, _, theirs = pair

    def refuse(envelope):
        raise NotGranted

    world.gates.append(refuse)
    with pytest.raises(NotGranted):
        requests.request(theirs.owner, b"", 10)
    assert world.broker.pending_count == 0
    for timeout in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            requests.request(theirs.owner, b"", timeout)


async def test_after_the_end_callbacks_and_answers_are_dead_letters(pair):
    world, requests, mine, theirs = pair
    for _ in range(3):
        requests.request(theirs.owner, b"", 10)
    questions = drain(theirs)
    questions[0].reply.answer(b"queued")
    requests.close()
    requests.close()
    assert drain(mine) == []
    assert questions[1].reply.answer(b"late") is False
    assert questions[2].reply.fail(ValueError()) is False
    whys = [event.why for event in world.events if isinstance(event, DeadLetter)]
    assert whys == [
        "its actor ended before it was handled",
        "the answer came after its asker had ended",
    ]
    assert world.broker.pending_count == 0


async def test_a_closed_mailbox_hands_callbacks_out_and_takes_no_more(pair):
    world, requests, mine, theirs = pair
    requests.request(theirs.owner, b"", 10)
    requests.request(theirs.owner, b"", 10)
    first, second = drain(theirs)
    first.reply.answer(b"1")
    (left,) = mine.close()
    assert isinstance(left, Callback)
    second.reply.answer(b"2")
    assert [event.why for event in world.events] == ["its actor was stopped"]


async def test_an_actor_subscribes_that_often_and_not_after_its_end(world, names):
    publishing = Publishing(world.broker)
    subscriber = ActorSubscriber(names[0], publishing)
    for number in range(MAX_PATTERNS):
        subscriber.subscribe(f"a.n{number}")
    with pytest.raises(NotGranted, match="already"):
        subscriber.subscribe("b")
    subscriber.close()
    with pytest.raises(NotGranted, match="ended"):
        subscriber.subscribe("b")
    assert len(publishing.subscriptions) == 0


async def test_an_incarnation_that_ends_leaves_the_callbacks_of_another(pair, names):
    """As when code is replaced, or was to be."""
    served, requests, mine, theirs = pair
    other = OpenRequests(served.broker, mine, 5)
    for each in (requests, other):
        each.request(names[1], b"?", 10)
        theirs.take_nowait().reply.answer(b"!")
        theirs.release()
    assert mine.statistics().callbacks == 2
    other.close()
    (letter,) = served.events
    assert letter.size == 1
    (callback,) = drain(mine)
    requests.note_taken(callback)
    requests.close()
    assert len(served.events) == 1


async def test_answers_that_are_not_taken_are_bounded_in_bytes(served, names):
    mine, theirs = served.open(names[0]), served.open(names[1])
    requests = OpenRequests(served.broker, mine, 100, 1000)
    for _ in range(5):
        requests.request(theirs.owner, b"", 10)
    answered = [each.reply.answer(bytes(400)) for each in drain(theirs)]
    assert answered == [True, True, False, False, False]
    letters = [e for e in served.events if isinstance(e, DeadLetter)]
    assert [letter.size for letter in letters] == [400] * 3
    assert "no room" in letters[0].why
    taken = drain(mine)
    assert [len(each.payload) for each in taken[:2]] == [400, 400]
    for each in taken[2:]:
        assert each.payload.startswith(b"delivery-failed\n")
        assert b"request_bytes" in each.payload
    for each in taken:
        requests.note_taken(each)
    assert requests._waiting_bytes == 0
    requests.request(theirs.owner, b"", 10)
    (question,) = drain(theirs)
    assert question.reply.answer(bytes(5000)), "a single one always has room"
    requests.close()


async def test_an_error_in_a_callback_is_short(pair):
    _, requests, mine, theirs = pair
    requests.request(theirs.owner, b"", 10)
    theirs.take_nowait().reply.fail(InvalidMessage("x" * 10**6))
    assert len(mine.take_nowait().payload) < 5000
