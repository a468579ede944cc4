"""One actor's queue of messages, with back-pressure, and the slot of the one in hand.

Four rules govern this file:

* A message is in one place only: with a blocked sender, in the queue, or in hand. Each
  step from one place to the next happens between two checkpoints, so that no
  cancellation falls into it.
* Room that becomes free belongs to the sender that has been blocked longest. Hence
  nobody overtakes a blocked sender. There is one only while something is queued: room is
  counted in messages and, of large ones, in bytes, and an empty queue has room for any.
* A message that finds no room ends, or waits, as the policy of its priority says.
  Priority chooses between policies; it never changes the order of what is queued.
* Waking a task tells it only that something changed or ended; the message itself never
  travels with the wake-up. A taker that dies on the way to its message loses nothing.
"""

from __future__ import annotations

from collections import deque
from copy import copy
from typing import Final, NoReturn, final

import attrs
import trio
from outcome import Error
from trio.lowlevel import (
    Abort,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    reschedule,
)

from airssys.contracts import (
    Callback,
    Envelope,
    MailboxFull,
    MessagingError,
    TargetNotFound,
    Unanswered,
)

from ._blocked_senders import refusal, wait_for_room
from ._contents import AtOnce, MailboxContents
from ._overflow import OverflowAction, decide, push_out
from ._statistics import Ending

# To read a member off its class takes longer than the rest of `hand_over`.
_BEGUN: Final = Unanswered.BEGUN
_NOT_BEGUN: Final = Unanswered.NOT_BEGUN


# Without NO_OP, attrs would look for a validator at every assignment to any field.
@final
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Mailbox(MailboxContents):
    """The messages for one name, first in, first out; survives restarts of its actor.

    At most one message is outside the queue: the one `in_hand`, which was taken and not
    yet released. It stays there when its taker crashes, so that somebody can still say
    what became of it. Only the actor of that name takes, one task at a time.

    Raises:
        ValueError: the capacity is no whole number above 0.
    """

    @enable_ki_protection
    def put_nowait(self, envelope: Envelope) -> None:
        """Add a message at the end of the queue.

        Raises:
            MailboxFull: there is no room, or others wait for it.
            TargetNotFound: the mailbox was closed.
        """
        if not self.offer(envelope):
            self._refuse()

    @enable_ki_protection
    def offer(self, envelope: Envelope) -> bool:
        """Add a message at the end of the queue; False if there is no room.

        Raises:
            TargetNotFound: the mailbox was closed.
        """
        if self._closed:
            self._tally.count(Ending.REFUSED)
            raise TargetNotFound(self.owner)
        queued = len(self._queue)
        if queued >= self.capacity or self._blocked:
            return False
        size = len(envelope.payload)
        if size > self._share:
            if self._queued_bytes and self._queued_bytes + size > self.most_bytes:
                return False
            self._queued_bytes += size
        # As in `_enqueue`: a call of it would be paid for by every message.
        self._queue.append(envelope)
        if queued >= self._high_water:
            self._high_water = queued + 1
        if self._taker is not None:
            self._wake_taker()
        return True

    @enable_ki_protection
    def overflow(self, envelope: Envelope, *, may_wait: bool) -> OverflowAction:
        """Settle what becomes of a message that found no room, by the policy for it.

        Queues it or counts its ending. Lets nobody wait, and makes no dead letter: for
        `OverflowAction.WAIT` and `OverflowAction.DEAD_LETTER` the caller does that.

        Raises:
            MailboxFull: it was refused.
            TargetNotFound: the mailbox was closed meanwhile, by a gate.
        """
        is_ask = envelope.reply is not None
        policy = self.rules.policy_of(envelope.priority)
        action = decide(policy, may_wait=may_wait, is_ask=is_ask)
        if action is OverflowAction.DROP_OLDEST:
            while not self._may_come_in(envelope) and self._push_out():
                self._admit_blocked()
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

    @enable_ki_protection
    def put_callback(self, callback: Callback) -> bool:
        """Add a callback, full or not; False, and given up, if the mailbox was closed.

        No policy applies to callbacks. They are in an order of their own and taken in turns
        with messages, so that neither keeps the other waiting.
        """
        if self._closed:
            self._tally.count(Ending.GIVEN_UP)
            return False
        if not self._callbacks:
            self._callbacks = deque()
        self._callbacks.append(callback)
        self._wake_taker()
        return True

    @enable_ki_protection
    def remove_callbacks(self, ids: set[str | None]) -> tuple[Callback, ...]:
        """Remove those of these ids that were not taken yet, as given up, in order."""
        kept: deque[Callback] = deque()
        removed: list[Callback] = []
        for callback in self._callbacks:
            (removed if callback.correlation_id in ids else kept).append(callback)
        self._callbacks = kept
        self._tally.count(Ending.GIVEN_UP, len(removed))
        return tuple(removed)

    @enable_ki_protection
    async def put(self, envelope: Envelope) -> None:
        """Add a message at the end of the queue, as soon as there is room.

        A checkpoint. If it is cancelled the message was not delivered.

        Raises:
            TargetNotFound: the mailbox was closed, before or meanwhile.
        """
        await checkpoint_if_cancelled()
        if not self._may_come_in(envelope):
            await wait_for_room(self, envelope)
        else:
            self.put_nowait(envelope)
            await cancel_shielded_checkpoint()

    @enable_ki_protection
    def take_nowait(self) -> Envelope:
        """Take the oldest message into the hand.

        Raises:
            trio.WouldBlock: there is none.
            trio.BusyResourceError: the last message was not released yet.
            trio.ClosedResourceError: the mailbox was closed.
        """
        envelope = self.take_if_any()
        if envelope is None:
            raise trio.WouldBlock
        return envelope

    @enable_ki_protection
    def take_if_any(self) -> Envelope | None:
        """Take the oldest message into the hand; None if there is none.

        Raises:
            trio.BusyResourceError: the last message was not released yet.
            trio.ClosedResourceError: the mailbox was closed.
        """
        if self.in_hand is not None:
            raise trio.BusyResourceError("release the message in hand first")
        if self._callbacks:
            self._owes_message = not (self._owes_message and self._queue)
            if self._owes_message:
                self.in_hand = callback = self._callbacks.popleft()
                return callback
        if not self._queue:
            if self._closed:
                raise trio.ClosedResourceError
            return None
        envelope = self.in_hand = self._queue.popleft()
        if self._queued_bytes:
            self._queued_bytes -= self._weight(envelope)
        if self._blocked:
            self._admit_blocked()
        return envelope

    @enable_ki_protection
    def hand_over(self, envelope: Envelope) -> bytes | Unanswered | None:
        """Let the owner handle a message in the caller's step, if it is idle and can.

        Nothing waits here then, so nobody is overtaken. What was begun is in hand, and
        the owner's task, woken, brings it to its end.

        Returns:
            The answer; or `Unanswered`, with `NOT_BEGUN`: nothing has happened.
        """
        at_once, taker = self.at_once, self._taker
        if taker is None or at_once is None:
            return _NOT_BEGUN
        self.in_hand = envelope
        answer = at_once(envelope, taker)
        if answer is _BEGUN:
            self._wake_taker()
            return answer
        self.in_hand = None
        if answer is not _NOT_BEGUN:
            self._handled += 1
        return answer

    @enable_ki_protection
    async def take(self, at_once: AtOnce | None = None) -> Envelope:
        """Take the oldest message into the hand, as soon as there is one.

        A checkpoint. If it is cancelled no message was taken.

        Args:
            at_once: handles messages that come while there is none, see `hand_over`;
                what it has begun is returned from here.

        Raises:
            trio.BusyResourceError: another task takes, or the last message was not
                released yet.
            trio.ClosedResourceError: the mailbox was closed, before or meanwhile.
            trio.WouldBlock: the wait was interrupted.
        """
        in_hand = self.in_hand
        if self._taker is not None or in_hand is not None:
            await checkpoint_if_cancelled()
            raise trio.BusyResourceError("one message and one taker at a time")
        if self._queue or self._callbacks or self._closed:
            await checkpoint_if_cancelled()
            envelope = self.take_nowait()
            await cancel_shielded_checkpoint()
            return envelope
        while not (self._queue or self._callbacks or self._closed):
            self._taker, self.at_once = current_task(), at_once
            await self._park(self._abort_take)
            if self.in_hand is not None:
                return self.in_hand
        return self.take_nowait()

    @enable_ki_protection
    def interrupt(self) -> None:
        """Let who waits in `take` wait no longer: it gets `trio.WouldBlock`."""
        taker, self._taker = self._taker, None
        if taker is not None:
            reschedule(taker, Error(trio.WouldBlock()))

    @enable_ki_protection
    def finish(self) -> None:
        """Empty the hand: its message was handled, if there was one."""
        if self.in_hand is not None:
            self.in_hand = None
            self._handled += 1

    @enable_ki_protection
    def release(self, ending: Ending | None = None) -> Envelope | None:
        """Empty the hand: its message has been dealt with. Return it, if there was one.

        Args:
            ending: how the message ended, None: it was handled.
        """
        envelope, self.in_hand = self.in_hand, None
        if envelope is not None:
            if ending is None:
                self._handled += 1
            else:
                self._tally.count(ending)
        return envelope

    @enable_ki_protection
    def close(self, why: MessagingError | None = None) -> tuple[Envelope, ...]:
        """Close for good and hand out what is left, as given up.

        Blocked senders get such an error as `why`, or `TargetNotFound`; their messages
        are not among those handed out. Closing again returns nothing.
        """
        error = why or TargetNotFound(self.owner)
        left, self.in_hand = self.contents(), None
        self._callbacks = ()
        self._closed = True
        self._queue.clear()
        self._stash.clear()
        self._queued_bytes = self._stashed_bytes = 0
        self._tally.count(Ending.GIVEN_UP, len(left))
        blocked, self._blocked = self._blocked, {}
        self._tally.count(Ending.REFUSED, len(blocked))
        for sender in blocked:
            sender.refused(copy(error))
        self._wake_taker()
        return left

    def _may_come_in(self, envelope: Envelope) -> bool:
        return not self._blocked and self._has_room(envelope)

    def _refuse(self) -> NoReturn:
        self._tally.count(Ending.REFUSED)
        is_count = len(self._queue) >= self.capacity or not self._queued_bytes
        most = None if is_count else self.most_bytes
        raise MailboxFull(self.owner, self.capacity, most)

    def _abort_take(self, _: object) -> Abort:
        self._taker = None
        return Abort.SUCCEEDED

    def _admit_blocked(self) -> None:
        while self._blocked:
            sender, (envelope, recheck) = next(iter(self._blocked.items()))
            if not self._has_room(envelope):
                return
            # The sender stays blocked while it is asked about: what a recheck sets off
            # finds the mailbox full, and may close it.
            error = refusal(envelope, recheck)
            if self._blocked.pop(sender, None) is None:
                continue
            if error is None:
                self._enqueue(envelope)
                sender.admitted()
            else:
                self._tally.count(Ending.REFUSED)
                sender.refused(error)

    def _push_out(self) -> bool:
        """Drop the oldest message that may be dropped for another; False if none may."""
        dropped = push_out(self.owner, self._queue)
        if dropped is None:
            return False
        if self._queued_bytes:
            self._queued_bytes -= self._weight(dropped)
        self._tally.count(Ending.DROPPED)
        return True
