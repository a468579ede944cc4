"""A mailbox that never had a message shares its queue, which does not show."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import ComponentId, Overflow, OverflowRules
from airssys.messaging import Ending, Mailbox
from wasm_support import envelope

WAYS = ("offer", "put_in", "put_first")


def mailbox(name, rules=None):
    return Mailbox(ComponentId("local", name), 4, rules or OverflowRules())


def put(box, way, letter):
    match way:
        case "offer":
            assert box.offer(letter)
        case "put_in":
            box.put_in(letter)
        case "put_first":
            box.put_first([letter])


@pytest.mark.parametrize("way", WAYS)
def test_the_first_message_is_in_one_mailbox_only(way):
    used, unused = mailbox("used"), mailbox("unused")
    letter = envelope(b"first")
    put(used, way, letter)
    assert used.contents() == (letter,)
    assert unused.contents() == mailbox("later").contents() == ()
    assert used.take_next() is letter
    used.finish()
    assert used.take_next() is None


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(WAYS)), max_size=8))
def test_mailboxes_are_apart_however_each_got_its_messages(puts):
    boxes = [mailbox(f"box-{n}") for n in range(3)]
    expected = [[], [], []]
    for number, (at, way) in enumerate(puts):
        letter = envelope(b"%d" % number)
        if way == "offer" and len(expected[at]) >= 4:
            assert not boxes[at].offer(letter)
            continue
        put(boxes[at], way, letter)
        expected[at].insert(0 if way == "put_first" else len(expected[at]), letter)
    for box, letters in zip(boxes, expected, strict=True):
        assert list(box.contents()) == letters
        assert box.statistics().queued == len(letters)


def test_an_unused_mailbox_can_be_closed():
    box = mailbox("closed")
    assert box.close() == ()
    assert mailbox("open").offer(envelope(b"first"))


@pytest.mark.parametrize("low", [Overflow.DROP_NEWEST, Overflow.DROP_OLDEST])
def test_a_message_that_is_put_back_is_next_and_ended_in_no_way(low):
    box = mailbox("back", OverflowRules(low=low))
    first, second = envelope(b"1" * 5000), envelope(b"2")
    assert box.offer(first)
    assert box.offer(second)
    before = box.statistics()
    assert box.take_next() is first
    assert box.put_back() is first
    assert box.in_hand is None
    assert box.contents() == (first, second)
    assert box.statistics() == before
    assert box.take_next() is first
    assert box.release(Ending.FAILED) is first
    assert box.take_next() is second


def test_without_a_message_that_was_taken_nothing_is_put_back():
    box = mailbox("empty")
    assert box.put_back() is None
    assert box.contents() == ()


def test_a_message_that_is_put_back_takes_its_room_again():
    box = Mailbox(ComponentId("local", "bytes"), 4, OverflowRules(), most_bytes=100)
    letter, other = envelope(b"1" * 80), envelope(b"2" * 80)
    assert box.offer(letter)
    box.take_next()
    box.put_back()
    assert not box.offer(other)
    box.take_next()
    assert box.offer(other)
