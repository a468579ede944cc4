"""A mailbox under random operations against a model of plain lists.

The driver does not let woken tasks run unless a step says so: that puts every cancellation
and every close also between a wake-up and the task that was woken.
"""

import attrs
import pytest
import trio
from hypothesis import event, given, settings, strategies as st
from trio.testing import wait_all_tasks_blocked

from airssys.contracts import ComponentId, Envelope, MailboxFull, TargetNotFound
from airssys.messaging import Mailbox
from mailbox_support import put, put_nowait

OWNER, SENDER = ComponentId.parse("owner"), ComponentId.parse("sender")
STEPS = st.lists(
    st.sampled_from(
        [
            *("put", "put", "put", "tell", "grab", "grab", "release", "release"),
            *("take", "settle", "cancel taker", "cancel sender", "cancel let in"),
            "close",
        ]
    ),
    min_size=12,
    max_size=60,
)


@attrs.define
class Driver:
    """Does each step to the mailbox and to the model, and compares."""

    capacity: int
    nursery: trio.Nursery
    mailbox: Mailbox = attrs.field(init=False)
    queue: list = attrs.field(factory=list)
    blocked: list = attrs.field(factory=list)
    let_in: bytes | None = None
    in_hand: bytes | None = None
    closed: bool = False
    refused: set = attrs.field(factory=set)
    handled: list = attrs.field(factory=list)
    left: list = attrs.field(factory=list)
    outcomes: dict = attrs.field(factory=dict)
    scopes: dict = attrs.field(factory=dict)
    taker: trio.CancelScope | None = None
    count: int = 0

    def __attrs_post_init__(self):
        self.mailbox = Mailbox(OWNER, self.capacity)

    def letter(self):
        self.count += 1
        return Envelope(OWNER, SENDER, str(self.count).encode())

    async def put(self):
        letter, scope = self.letter(), trio.CancelScope()
        self.scopes[letter.payload] = scope
        self.nursery.start_soon(self.sender, letter, scope)
        await self.settle()

    async def sender(self, letter, scope):
        self.outcomes[letter.payload] = "cancelled"
        if self.closed:
            self.refused.add(letter.payload)
        elif len(self.queue) < self.capacity:
            self.queue.append(letter.payload)
        else:
            self.blocked.append(letter.payload)
        with scope:
            try:
                await put(self.mailbox, letter)
            except TargetNotFound:
                self.outcomes[letter.payload] = "refused"
            else:
                self.outcomes[letter.payload] = "delivered"

    def tell(self):
        letter = self.letter()
        if self.closed or len(self.queue) == self.capacity:
            with pytest.raises(TargetNotFound if self.closed else MailboxFull):
                put_nowait(self.mailbox, letter)
            self.refused.add(letter.payload)
        else:
            put_nowait(self.mailbox, letter)
            self.queue.append(letter.payload)

    def grab(self):
        if self.taker is not None:
            return
        if self.in_hand is not None:
            with pytest.raises(trio.BusyResourceError):
                self.mailbox.take_nowait()
        elif not self.queue:
            with pytest.raises(
                trio.ClosedResourceError if self.closed else trio.WouldBlock
            ):
                self.mailbox.take_nowait()
        else:
            assert self.mailbox.take_nowait().payload == self.queue[0]
            self.model_take()

    def model_take(self):
        self.in_hand = self.queue.pop(0)
        if self.blocked:
            self.let_in = self.blocked.pop(0)
            self.queue.append(self.let_in)

    async def take(self):
        if self.taker is None and self.in_hand is None and not self.closed:
            self.taker = trio.CancelScope()
            self.nursery.start_soon(self.take_one, self.taker)
            await self.settle()

    async def take_one(self, scope):
        with scope:
            try:
                letter = await self.mailbox.take()
            except trio.ClosedResourceError:
                assert self.closed
            else:
                assert letter.payload == self.queue[0]
                self.model_take()
        self.taker = None

    def release(self):
        letter = self.mailbox.release()
        assert (letter and letter.payload) == self.in_hand
        if letter:
            self.handled.append(self.in_hand)
        self.in_hand = None

    def cancel_taker(self):
        if self.taker is not None:
            self.taker.cancel()

    def cancel_sender(self):
        if self.blocked:
            victim = self.blocked.pop(len(self.blocked) // 2)
            self.scopes[victim].cancel()
            self.refused.add(victim)

    def cancel_let_in(self):
        if self.let_in is not None:
            self.scopes[self.let_in].cancel()

    def close(self):
        expected = [self.in_hand] * (self.in_hand is not None) + self.queue
        left = [letter.payload for letter in self.mailbox.close()]
        assert left == expected
        self.left += left
        self.refused.update(self.blocked)
        self.queue, self.blocked, self.in_hand = [], [], None
        self.closed = True

    async def settle(self):
        await wait_all_tasks_blocked()

    def compare(self):
        numbers = self.mailbox.statistics()
        assert numbers.queued == len(self.queue) <= self.capacity
        assert numbers.blocked_senders == len(self.blocked)
        in_hand = self.mailbox.in_hand
        assert (in_hand and in_hand.payload) == self.in_hand
        assert not self.blocked or len(self.queue) == self.capacity

    def finish(self):
        ends = [*self.refused, *self.handled, *self.left]
        assert sorted(ends, key=int) == [b"%d" % n for n in range(1, self.count + 1)]
        assert self.handled == sorted(self.handled, key=int)
        for payload, outcome in self.outcomes.items():
            assert (outcome == "delivered") == (payload not in self.refused)
            event(outcome)


async def drive(capacity, steps):
    async with trio.open_nursery() as nursery:
        driver = Driver(capacity, nursery)
        for step in [*steps, "settle", "close", "settle"]:
            result = getattr(driver, step.replace(" ", "_"))()
            if result is not None:
                await result
            driver.compare()
        driver.finish()


@settings(deadline=None)
@given(st.integers(1, 3), STEPS)
def test_a_mailbox_behaves_like_plain_lists(capacity, steps):
    trio.run(drive, capacity, steps)
