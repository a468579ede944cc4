"""One actor's queue of messages, with back-pressure, and the message being handled.

Four rules govern this file:

* A message is in one place only: with a blocked sender, in the queue, or in `in_hand`.
  It moves from one place to the next between two checkpoints, so that no cancellation
  can fall in between.
* Room that becomes free belongs to the sender that has been blocked longest. Hence no
  message overtakes that of a blocked sender. Senders are blocked only while something is
  queued: room is counted in messages and, for large ones, in bytes, and an empty queue
  has room for any message.
* If a message finds no room, the policy of its priority decides whether it ends or
  waits. Priority chooses between policies. It never changes the order of the queue.
* Waking a task only tells it that something changed or ended. The message itself does
  not travel with the wake-up, so if the task that takes is cancelled before it runs, no
  message is lost.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from itertools import chain
from typing import TYPE_CHECKING, Final, NoReturn, final

import attrs
import trio
from outcome import Error
from trio.lowlevel import (
    Abort,
    Task,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    wait_task_rescheduled,
)

from airssys.contracts import (
    DEFAULT_MAILBOX_BYTES,
    DEFAULT_MESSAGE_BYTES,
    Callback,
    Codecs,
    ComponentId,
    Envelope,
    MailboxFull,
    MessagingError,
    OverflowRules,
    TargetNotFound,
    Unanswered,
)

from ._blocked_messages import Blocked, BlockedMessages
from ._blocked_senders import BlockedSender, Parking, Recheck, refusal
from ._callback_queue import CallbackQueue
from ._droppable_queue import NOTHING_QUEUED, Queue, take_wanted
from ._overflow import OverflowAction, check_capacity, decide, push_out, queue_for
from ._servants import BEGUN, NOT_BEGUN, AtOnce, Dormant, Servant, wake
from ._stash import Stash
from ._statistics import Ending, MailboxStatistics, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

CROWD: Final = 16
"""With this many messages queued, guests that send to the actor have to pause."""


# Without NO_OP, attrs would look for a validator at every assignment to any field.
@final
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Mailbox:
    """The messages for one name, first in, first out; survives restarts of its actor.

    At most one message is outside the queue: the one `in_hand`, which was taken and not
    yet released. It stays there if the task that took it crashes, so that its end can
    still be reported. Only the actor of that name takes messages, one task at a time.

    Raises:
        ValueError: the capacity is not a whole number above 0.
    """

    owner: ComponentId
    capacity: int = attrs.field(validator=check_capacity)
    """Messages that may be queued. As many may be set aside."""
    rules: OverflowRules = attrs.field(factory=OverflowRules)
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    """The largest payload that a broker delivers here, in bytes."""
    codecs: Codecs | None = None
    """The codecs that a broker delivers here; None for any."""
    most_bytes: int = DEFAULT_MAILBOX_BYTES
    """Bytes of payload that may be queued. As many may be set aside; see `_share`."""
    unexamined_bytes: int = attrs.field(init=False, repr=False)
    """Larger payloads are examined by the broker; -1: all are."""
    in_hand: Envelope | None = attrs.field(init=False, default=None)
    """Taken and not yet released."""
    at_once: AtOnce | None = attrs.field(init=False, repr=False, default=None)
    """How its actor, while parked in `take`, handles a message without being woken."""
    _queue: Queue = attrs.field(kw_only=True, repr=False)
    _queued_bytes: int = attrs.field(init=False, default=0)
    """Of the larger payloads in the queue. Invariant: at most `most_bytes`, unless
    messages were added without asking for room."""
    _share: int = attrs.field(init=False, repr=False, default=0)
    """Payloads up to this size are not counted: a queue full of them takes a quarter of
    `most_bytes`. So most messages cost a comparison instead of a sum."""
    _blocked: BlockedMessages = attrs.field(
        init=False, repr=False, factory=BlockedMessages
    )
    """Invariant at every checkpoint: empty unless the queue has no room, or had none for
    a sender that has left since. The next take lets others in."""
    _callbacks: CallbackQueue = attrs.field(
        init=False, repr=False, factory=CallbackQueue
    )
    _stash: Stash = attrs.field(init=False, repr=False, factory=Stash)
    taker: Task | Dormant | None = attrs.field(init=False, repr=False, default=None)
    """The task in `take`, or the actor without one of `doze`. Only read elsewhere."""
    _is_awaited: bool = attrs.field(init=False, repr=False, default=False)
    """It, or the servant, has to be notified of the next message."""
    _servant: Servant | None = attrs.field(init=False, repr=False, default=None)
    _park: Parking = attrs.field(
        kw_only=True, repr=False, default=wait_task_rescheduled
    )
    """How that task waits. A member of a pool passes this and the queue, to be notified."""
    _closed: bool = attrs.field(init=False, default=False)
    _high_water: int = attrs.field(init=False, default=0)
    handled: int = attrs.field(init=False, default=0)
    _tally: Tally = attrs.field(init=False, repr=False, factory=Tally)

    @_queue.default
    def _make_queue(self) -> Queue:
        return queue_for(self.rules)

    def __attrs_post_init__(self) -> None:
        self.unexamined_bytes = self.message_bytes if self.codecs is None else -1
        self._share = self.most_bytes // (4 * self.capacity)

    @property
    def keeps_up(self) -> bool:
        """Whether fewer messages wait than `CROWD`, and than half of the room."""
        queued = len(self._queue)
        # Without such bytes there is room for one more, however large.
        return queued < min(CROWD, self.capacity / 2 - 1) and not self._queued_bytes

    @property
    def is_full(self) -> bool:
        """Whether a message must wait; also while others wait for the room there is."""
        return (
            len(self._queue) >= self.capacity
            or self._queued_bytes >= self.most_bytes
            or bool(self._blocked.waiting)
        )

    @property
    def is_full_of_bytes(self) -> bool:
        """Whether there is room for messages, but not for their bytes."""
        has_room = len(self._queue) < self.capacity
        return has_room and self._queued_bytes >= self.most_bytes

    @property
    def newest(self) -> Envelope | None:
        """The message that arrived last and waits, in the queue or for room in it."""
        queue, blocked = self._queue, self._blocked.newest()
        if blocked is not None or not queue:
            return blocked
        return queue[-1] if isinstance(queue, deque) else queue.newest()

    @property
    def blocked_senders(self) -> tuple[ComponentId, ...]:
        """The senders that wait for room, the one that has waited longest first."""
        return self._blocked.senders()

    def contents(self) -> tuple[Envelope, ...]:
        """Return the message being handled, the callbacks, the stash, and the queue."""
        in_hand = () if self.in_hand is None else (self.in_hand,)
        return (*in_hand, *self._callbacks.waiting, *self._stash.messages, *self._queue)

    def has_waiting(self, some: dict[int, Envelope]) -> bool:
        """Return whether one of some envelopes, by `id`, can be taken; fast if it is next."""
        return any(id(e) in some for e in chain(self._queue, self._callbacks.waiting))

    def statistics(self) -> MailboxStatistics:
        """Count what is here now."""
        return self._tally.statistics(
            handled=self.handled,
            high_water=self._high_water,
            queued=len(self._queue),
            callbacks=len(self._callbacks.waiting),
            stashed=len(self._stash.messages),
            in_hand=int(self.in_hand is not None),
            capacity=self.capacity,
            blocked_senders=len(self._blocked.waiting or ()),
        )

    @enable_ki_protection
    def offer(self, envelope: Envelope) -> bool:
        """Add a message at the end of the queue; False if there is no room.

        Raises:
            TargetNotFound: the mailbox was closed.
        """
        if self._closed:
            self._tally.count(Ending.REFUSED)
            raise TargetNotFound(self.owner)
        queue = self._queue
        queued = len(queue)
        if queued >= self.capacity or self._blocked.waiting:
            return False
        size = len(envelope.payload)
        if size > self._share:
            if self._queued_bytes and self._queued_bytes + size > self.most_bytes:
                return False
            self._queued_bytes += size
        # As in `put_in`: a call of it would be paid for by every message.
        if queue is NOTHING_QUEUED:
            queue = self._queue = deque()
        queue.append(envelope)
        if queued >= self._high_water:
            self._high_water = queued + 1
        if self._is_awaited:
            self._announce()
        return True

    def put_in(self, envelope: Envelope) -> None:
        """Add a message at the end of the queue, full or not; the mailbox must be open."""
        self._own_queue().append(envelope)
        self._queued_bytes += self._weight(envelope)
        if len(self._queue) > self._high_water:  # noqa: PLR1730  # max() takes longer
            self._high_water = len(self._queue)
        if self._is_awaited:
            self._announce()

    def put_first(self, envelopes: list[Envelope]) -> None:
        """Add messages at the head of the queue, full or not; wakes no task, counts no bytes."""
        self._own_queue().extendleft(reversed(envelopes))
        self._high_water = max(self._high_water, len(self._queue))

    @enable_ki_protection
    def overflow(self, envelope: Envelope, *, may_wait: bool) -> OverflowAction:
        """Apply the policy of its priority to a message that found no room.

        Queues the message or counts its ending. For `OverflowAction.WAIT` and
        `OverflowAction.DEAD_LETTER` the caller does the rest.

        Raises:
            MailboxFull: it was refused.
            TargetNotFound: the mailbox was closed meanwhile, by a gate.
        """
        is_ask = envelope.reply is not None
        policy = self.rules.policy_of(envelope.priority)
        action = decide(policy, may_wait=may_wait, is_ask=is_ask)
        if action is OverflowAction.DROP_OLDEST:
            while self._blocked.waiting or not self._has_room(envelope):
                if not self._push_out():
                    break
                self.let_in()
            if self.offer(envelope):
                return OverflowAction.QUEUE
            action = OverflowAction.REFUSE if is_ask else OverflowAction.DROP
        if action is OverflowAction.REFUSE:
            self._refuse()
        if action is OverflowAction.DROP:
            self._tally.count(Ending.DROPPED)
        elif action is OverflowAction.DEAD_LETTER:
            self._tally.count(Ending.GIVEN_UP)
        return action

    def count_refused(self) -> None:
        """Count a message that would have waited here, had it not been refused."""
        self._tally.count(Ending.REFUSED)

    @enable_ki_protection
    def put_callback(self, callback: Callback) -> bool:
        """Add a callback, full or not; False, and given up, if the mailbox was closed.

        No policy applies to callbacks. They have an order of their own and are taken
        alternately with messages, so that neither keeps the other waiting.
        """
        if self._closed:
            self._tally.count(Ending.GIVEN_UP)
            return False
        self._callbacks.add(callback)
        self._wake_taker()
        return True

    @enable_ki_protection
    def remove_callbacks(self, ids: set[str | None]) -> tuple[Callback, ...]:
        """Remove those of these ids that were not taken yet, as given up, in order."""
        removed = self._callbacks.remove(ids)
        self._tally.count(Ending.GIVEN_UP, len(removed))
        return removed

    def block(
        self, sender: BlockedSender, envelope: Envelope, recheck: Recheck | None = None
    ) -> None:
        """Let a message wait for room; only while `is_full`.

        Does not wait itself: the sender parks its own task. When there is room,
        `recheck` is called in the middle of the taker's step; it must not send or take.
        """
        self._blocked.add(sender, envelope, recheck)

    def unblock(self, sender: BlockedSender) -> bool:
        """Let a message wait no longer; False if it did not wait here any more."""
        is_removed = self._blocked.remove(sender)
        if is_removed:
            self._tally.count(Ending.WITHDRAWN)
        return is_removed

    def let_in(self) -> None:
        """Add the messages that wait for room to the queue, as far as there is some now."""
        while (first := self._blocked.first()) is not None:
            sender, envelope, recheck = first
            if not self._has_room(envelope):
                return
            # The sender stays blocked during its recheck: messages that the recheck
            # causes find the mailbox full, and it may close the mailbox.
            error = refusal(envelope, recheck)
            if not self._blocked.remove(sender):
                continue
            if error is None:
                self.put_in(envelope)
                sender.admitted()
            else:
                self._tally.count(Ending.REFUSED)
                sender.refused(error)

    @enable_ki_protection
    def take_nowait(self) -> Envelope:
        """Take the oldest message.

        Raises:
            trio.WouldBlock: there is none.
            trio.BusyResourceError: the last message was not released yet.
            trio.ClosedResourceError: the mailbox was closed.
        """
        if self.in_hand is not None:
            raise trio.BusyResourceError("release the last message before the next")
        envelope = self.take_next()
        if envelope is None:
            raise trio.WouldBlock
        return envelope

    @enable_ki_protection
    def take_next(self) -> Envelope | None:
        """`finish`, and then take the oldest message; None if there is none.

        Raises:
            trio.ClosedResourceError: the mailbox was closed.
        """
        if self.in_hand is not None:
            self.in_hand = None
            self.handled += 1
        if self._callbacks.waiting:
            callback = self._callbacks.take(has_messages=bool(self._queue))
            if callback is not None:
                self.in_hand = callback
                return callback
        if not self._queue:
            if self._closed:
                raise trio.ClosedResourceError
            return None
        envelope = self.in_hand = self._queue.popleft()
        if self._queued_bytes:
            self._queued_bytes -= self._weight(envelope)
        if self._blocked.waiting:
            self.let_in()
        return envelope

    @enable_ki_protection
    async def take(
        self, at_once: AtOnce | None = None, servant: Servant | None = None
    ) -> Envelope:
        """Take the oldest message, as soon as there is one.

        A checkpoint. If it is cancelled no message was taken.

        Args:
            at_once: handles messages that arrive while none is queued, see `hand_over`;
                a message that it has only begun is returned from here.
            servant: handles messages that are queued meanwhile, so that this goes on to
                wait. Not of a member of a pool, whose wait is counted.

        Raises:
            trio.BusyResourceError: another task takes, or the last message was not
                released yet.
            trio.ClosedResourceError: the mailbox was closed, before or meanwhile.
            trio.WouldBlock: the wait was interrupted.
        """
        in_hand = self.in_hand
        if self.taker is not None or in_hand is not None:
            await checkpoint_if_cancelled()
            raise trio.BusyResourceError("one message and one taker at a time")
        if self._queue or self._callbacks.waiting or self._closed:
            await checkpoint_if_cancelled()
            envelope = self.take_nowait()
            await cancel_shielded_checkpoint()
            return envelope
        while not (self._queue or self._callbacks.waiting or self._closed):
            self.taker, self.at_once = current_task(), at_once
            self._is_awaited = True
            self._servant = servant if self._park is wait_task_rescheduled else None
            await self._park(self._abort_take)
            if self.in_hand is not None:
                return self.in_hand
        return self.take_nowait()

    def doze(self, actor: Dormant, by: AtOnce | None, servant: Servant | None) -> None:
        """As `take`, for an actor without a task, which is woken instead; does not wait."""
        self.taker, self.at_once, self._servant = actor, by, servant
        self.expect()

    @enable_ki_protection
    def interrupt(self) -> None:
        """End the wait of the task in `take`, which gets `trio.WouldBlock`."""
        self._wake_taker(Error(trio.WouldBlock()))

    def is_served_by(self, servant: Servant) -> bool:
        """Whether the servant may take messages: for one that waits for them."""
        return self.taker is not None and self._servant is servant

    def expect(self) -> None:
        """Have the servant notified of the next message, now if one is queued already."""
        self._is_awaited = self.taker is not None
        if self._is_awaited and (self._queue or self._callbacks.waiting):
            self._announce()

    @enable_ki_protection
    def hand_over(self, envelope: Envelope) -> bytes | Unanswered | None:
        """Let the owner handle a message in the caller's step, if it is idle and can.

        Nothing is queued then, so no message is overtaken. If the message was only begun,
        it is `in_hand`, and the owner's task is woken to finish it.

        Returns:
            The answer; or `Unanswered`, with `NOT_BEGUN`: nothing has happened.
        """
        at_once, taker = self.at_once, self.taker
        if taker is None or at_once is None or not self._is_awaited:
            return NOT_BEGUN
        self.in_hand = envelope
        answer = at_once(envelope, taker)
        if answer is BEGUN:
            self._wake_taker()
            return answer
        self.in_hand = None
        if answer is not NOT_BEGUN:
            self.handled += 1
        return answer

    @enable_ki_protection
    def finish(self) -> None:
        """Count the message that was taken, if there is one, as handled."""
        if self.in_hand is not None:
            self.in_hand = None
            self.handled += 1

    @enable_ki_protection
    def release(self, ending: Ending | None = None) -> Envelope | None:
        """Let go of the message that was taken, and return it; `ending`: None if handled."""
        envelope, self.in_hand = self.in_hand, None
        if envelope is not None and ending is None:
            self.handled += 1
        elif envelope is not None and ending is not None:
            self._tally.count(ending)
        return envelope

    def put_back(self) -> Envelope | None:
        """Put the message that was taken back at the head of the queue, and return it."""
        envelope, self.in_hand = self.in_hand, None
        if envelope is not None:
            self._own_queue().extendleft((envelope,))
            self._queued_bytes += self._weight(envelope)
        return envelope

    @enable_ki_protection
    def check_stash(self) -> None:
        """Make sure that one more message may be set aside.

        Raises:
            StashFull: it may not.
        """
        weight = None if self.in_hand is None else self._weight(self.in_hand)
        self._stash.check(self.owner, self.capacity, self.most_bytes, weight)

    @enable_ki_protection
    def stash(self) -> None:
        """Set the present message, if any, aside; raises as `check_stash`, which changes nothing."""
        self.check_stash()
        if self.in_hand is not None:
            self._stash.add(self.in_hand, self._weight(self.in_hand))
            self.in_hand = None

    @enable_ki_protection
    def unstash_all(self) -> None:
        """Put all that was set aside back at the head of the queue, in order.

        There is always room for these messages. Others find the mailbox full meanwhile.
        """
        messages, weight = self._stash.empty()
        if messages:
            self.put_first(messages)
            self._queued_bytes += weight
            if self._is_awaited:
                self._announce()

    def take_out(
        self, wanted: Callable[[Envelope], bool]
    ) -> tuple[list[Envelope], list[Blocked]]:
        """Remove messages that wait in the queue or for room, each in its order.

        For a pool that gives them to another member. The message being handled and the
        stash stay. Room that becomes free stays free until `let_in`.
        """
        waiting = [each for each in self._blocked.all() if wanted(each[1])]
        taken = take_wanted(self._queue, wanted)
        if taken:
            self._queued_bytes = sum(map(self._weight, self._queue))
        blocked = [each for each in waiting if self._blocked.remove(each[0])]
        self._tally.count(Ending.MOVED, len(taken) + len(blocked))
        return taken, blocked

    def take_first_blocked(self, wanted: Callable[[Envelope], bool]) -> Blocked | None:
        """Remove the wanted message that has waited for room longest; None if none waits."""
        first = self._blocked.take_first(wanted)
        if first is not None:
            self._tally.count(Ending.MOVED)
        return first

    @enable_ki_protection
    def close(self, why: MessagingError | None = None) -> tuple[Envelope, ...]:
        """Close for good. Return the messages that are left, which count as given up.

        Blocked senders get a copy of `why`, or `TargetNotFound`; their messages are not
        among those returned. Closing again returns nothing.
        """
        error = why or TargetNotFound(self.owner)
        left, self.in_hand = self.contents(), None
        self._callbacks.clear()
        self._closed = True
        self._queue.clear()
        self._stash.empty()
        self._queued_bytes = 0
        self._tally.count(Ending.GIVEN_UP, len(left))
        blocked = self._blocked.clear()
        self._tally.count(Ending.REFUSED, len(blocked))
        for sender in blocked:
            sender.refused(copy(error))
        self._wake_taker()
        return left

    def _own_queue(self) -> Queue:
        if self._queue is NOTHING_QUEUED:
            self._queue = deque()
        return self._queue

    def _weight(self, envelope: Envelope) -> int:
        """Return how many bytes of a message count."""
        size = len(envelope.payload)
        return size if size > self._share else 0

    def _has_room(self, envelope: Envelope) -> bool:
        """Return whether the queue has room, even if others wait for it."""
        return len(self._queue) < self.capacity and (
            not self._queued_bytes
            or self._queued_bytes + self._weight(envelope) <= self.most_bytes
        )

    def _refuse(self) -> NoReturn:
        self._tally.count(Ending.REFUSED)
        is_count = len(self._queue) >= self.capacity or not self._queued_bytes
        most = None if is_count else self.most_bytes
        raise MailboxFull(self.owner, self.capacity, most)

    def _push_out(self) -> bool:
        """Drop the oldest message that may be dropped; False if there is none."""
        dropped = push_out(self.owner, self._queue)
        if dropped is None:
            return False
        if self._queued_bytes:
            self._queued_bytes -= self._weight(dropped)
        self._tally.count(Ending.DROPPED)
        return True

    def _announce(self) -> None:
        """Let what is queued be handled: by the servant, or else by the task itself."""
        self._is_awaited = False
        if self._servant is None:
            self._wake_taker()
        else:
            self._servant.note_due()

    def _wake_taker(self, error: Error | None = None) -> None:
        taker, self.taker, self._is_awaited = self.taker, None, False
        if taker is not None:
            wake(taker, error)

    def _abort_take(self, _: object) -> Abort:
        self.taker, self._is_awaited = None, False
        return Abort.SUCCEEDED
