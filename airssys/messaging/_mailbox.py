"""One actor's queue of messages, with back-pressure, and the slot of the one in hand.

Four rules govern this file:

* A message is in one place only: with a blocked sender, in the queue, or in hand. Each
  step from one place to the next happens between two checkpoints, so that no
  cancellation falls into it.
* Room that becomes free belongs to the sender that has been blocked longest. Hence a
  blocked sender means a full queue, and nobody overtakes.
* A message that finds no room ends, or waits, as the policy of its priority says.
  Priority chooses between policies; it never changes the order of what is queued.
* Waking a task tells it only that something changed or ended; the message itself never
  travels with the wake-up. A taker that dies on the way to its message loses nothing.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias, final

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
    reschedule,
    wait_task_rescheduled,
)

from airssys.contracts import (
    DEFAULT_MESSAGE_BYTES,
    Callback,
    Codecs,
    ComponentId,
    Envelope,
    MailboxFull,
    OverflowRules,
    StashFull,
    TargetNotFound,
    Unanswered,
)

from ._blocked_senders import BlockedSender, Parking, Recheck, refusal, wait_for_room
from ._mailbox_statistics import Ending, MailboxStatistics, Tally
from ._overflow import Fate, check_capacity, decide, push_out

if TYPE_CHECKING:
    from collections.abc import Callable

# To read a member off its class takes longer than the rest of `hand_over`.
_BEGUN: Final = Unanswered.BEGUN
_NOT_BEGUN: Final = Unanswered.NOT_BEGUN

AtOnce: TypeAlias = "Callable[[Envelope, Task], bytes | Unanswered | None]"
"""Begins to handle a message without waiting, in the name of the task that takes."""


# Without NO_OP, attrs would look for a validator at every assignment to any field.
@final
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class Mailbox:
    """The messages for one name, first in, first out; survives restarts of its actor.

    At most one message is outside the queue: the one `in_hand`, which was taken and not
    yet released. It stays there when its taker crashes, so that somebody can still say
    what became of it. Only the actor of that name takes, one task at a time.

    Raises:
        ValueError: the capacity is no whole number above 0.
    """

    owner: ComponentId
    capacity: int = attrs.field(validator=check_capacity)
    """Messages that may queue, and as many may be set aside."""
    rules: OverflowRules = attrs.field(factory=OverflowRules)
    message_bytes: int = DEFAULT_MESSAGE_BYTES
    """Bytes of payload beyond which a broker delivers no message here."""
    codecs: Codecs | None = None
    """In which a broker delivers messages here; None: in any."""
    unexamined_bytes: int = attrs.field(init=False, repr=False)
    """Larger payloads need a closer look; -1: all do."""
    in_hand: Envelope | None = attrs.field(init=False, default=None)
    """Taken and not yet released."""
    _queue: deque[Envelope] = attrs.field(kw_only=True, repr=False, factory=deque)
    _blocked: dict[BlockedSender, tuple[Envelope, Recheck | None]] = attrs.field(
        init=False, repr=False, factory=dict
    )
    """In order of arrival. Invariant at every checkpoint: empty unless the queue is full."""
    _callbacks: list[Callback] = attrs.field(init=False, repr=False, factory=list)
    """Answers to what the owner asked for. They need no room: there are never more of
    them than it has requests open. Most owners make none: an empty list takes a tenth of
    an empty deque."""
    _owes_message: bool = attrs.field(init=False, default=False)
    """The last one taken was a callback: a message is next, if there is one."""
    _taker: Task | None = attrs.field(init=False, repr=False, default=None)
    """The task that is parked in `take`."""
    at_once: AtOnce | None = attrs.field(init=False, repr=False, default=None)
    """How its actor, if parked in `take`, handles a message without being woken."""
    _closed: bool = attrs.field(init=False, default=False)
    _stash: list[Envelope] = attrs.field(init=False, repr=False, factory=list)
    """Set aside by the actor, in order."""
    _high_water: int = attrs.field(init=False, default=0)
    _handled: int = attrs.field(init=False, default=0)
    _park: Parking = attrs.field(
        kw_only=True, repr=False, default=wait_task_rescheduled
    )
    """How its taker waits. This and its queue are given by who wants to know of them."""
    _tally: Tally = attrs.field(init=False, repr=False, factory=Tally)

    @unexamined_bytes.default
    def _set_unexamined_bytes(self) -> int:
        return self.message_bytes if self.codecs is None else -1

    @property
    def is_awaited(self) -> bool:
        """Whether its owner is parked in `take`, and was not woken yet."""
        return self._taker is not None

    @property
    def is_full(self) -> bool:
        """Whether a message must wait; also while others wait for the room there is."""
        return len(self._queue) >= self.capacity or bool(self._blocked)

    @enable_ki_protection
    def put_nowait(self, envelope: Envelope) -> None:
        """Add a message at the end of the queue.

        Raises:
            MailboxFull: there is no room, or others wait for it.
            TargetNotFound: the mailbox was closed.
        """
        if not self.offer(envelope):
            self._tally.count(Ending.REFUSED)
            raise MailboxFull(self.owner, self.capacity)

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
        # As in `_enqueue`: a call of it would be paid for by every message.
        self._queue.append(envelope)
        if queued >= self._high_water:
            self._high_water = queued + 1
        if self._taker is not None:
            self._wake_taker()
        return True

    @enable_ki_protection
    def overflow(self, envelope: Envelope, *, may_wait: bool) -> Fate:
        """Settle what becomes of a message that found no room, by the policy for it.

        Queues it or counts its ending. Lets nobody wait, and makes no dead letter: for
        `Fate.WAIT` and `Fate.BURY` the caller does that.

        Raises:
            MailboxFull: it was refused.
            TargetNotFound: the mailbox was closed meanwhile, by a gate.
        """
        is_ask = envelope.reply is not None
        policy = self.rules.policy_of(envelope.priority)
        fate = decide(policy, may_wait=may_wait, is_ask=is_ask)
        if fate is Fate.PUSH_OUT:
            while self.is_full and self._push_out():
                self._admit_blocked()
            if self.offer(envelope):
                return Fate.QUEUE
            fate = Fate.REFUSE if is_ask else Fate.DROP
        if fate is Fate.REFUSE:
            self._tally.count(Ending.REFUSED)
            raise MailboxFull(self.owner, self.capacity)
        if fate is Fate.DROP:
            self._tally.count(Ending.DROPPED)
        elif fate is Fate.BURY:
            self._tally.count(Ending.GIVEN_UP)
        return fate

    @enable_ki_protection
    def put_callback(self, callback: Callback) -> bool:
        """Add a callback, full or not; False, and given up, if the mailbox was closed.

        No policy applies to callbacks. They are in an order of their own and taken in turns
        with messages, so that neither keeps the other waiting.
        """
        if self._closed:
            self._tally.count(Ending.GIVEN_UP)
            return False
        self._callbacks.append(callback)
        self._wake_taker()
        return True

    @enable_ki_protection
    def remove_callbacks(self, ids: set[str | None]) -> tuple[Callback, ...]:
        """Remove those of these ids that were not taken yet, as given up, in order."""
        removed = tuple(c for c in self._callbacks if c.correlation_id in ids)
        self._tally.count(Ending.GIVEN_UP, len(removed))
        for callback in removed:
            self._callbacks.remove(callback)
        return removed

    @enable_ki_protection
    async def put(self, envelope: Envelope) -> None:
        """Add a message at the end of the queue, as soon as there is room.

        A checkpoint. If it is cancelled the message was not delivered.

        Raises:
            TargetNotFound: the mailbox was closed, before or meanwhile.
        """
        await checkpoint_if_cancelled()
        if self.is_full:
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
                self.in_hand = callback = self._callbacks.pop(0)
                return callback
        if not self._queue:
            if self._closed:
                raise trio.ClosedResourceError
            return None
        envelope = self.in_hand = self._queue.popleft()
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
    def check_stash(self) -> None:
        """Make sure that one more message may be set aside.

        Raises:
            StashFull: it may not.
        """
        if len(self._stash) >= self.capacity:
            raise StashFull(self.owner, self.capacity)

    @enable_ki_protection
    def stash(self) -> None:
        """Set the message in hand aside, if there is one, to be taken again later.

        Raises:
            StashFull: there are too many already; it stays in hand.
        """
        self.check_stash()
        if self.in_hand is not None:
            self._stash.append(self.in_hand)
            self.in_hand = None

    @enable_ki_protection
    def unstash_all(self) -> None:
        """Put all that was set aside back at the head of the queue, in order.

        There is always room for them; others find the mailbox full meanwhile.
        """
        if self._stash:
            self._queue.extendleft(reversed(self._stash))
            self._stash.clear()
            self._high_water = max(self._high_water, len(self._queue))
            if self._taker is not None:
                self._wake_taker()

    def contents(self) -> tuple[Envelope, ...]:
        """Return the message in hand, callbacks, what was set aside, and the queue."""
        in_hand = () if self.in_hand is None else (self.in_hand,)
        return (*in_hand, *self._callbacks, *self._stash, *self._queue)

    def has_waiting(self, some: dict[int, Envelope]) -> bool:
        """Say whether one of some envelopes, by `id`, can be taken; quick if it is next."""
        return any(id(e) in some for e in chain(self._queue, self._callbacks))

    @enable_ki_protection
    def close(self) -> tuple[Envelope, ...]:
        """Close for good and hand out what is left, as given up.

        Blocked senders get `TargetNotFound`; their messages are not among those handed
        out. Closing again returns nothing.
        """
        left, self.in_hand = self.contents(), None
        self._callbacks.clear()
        self._closed = True
        self._queue.clear()
        self._stash.clear()
        self._tally.count(Ending.GIVEN_UP, len(left))
        blocked, self._blocked = self._blocked, {}
        self._tally.count(Ending.REFUSED, len(blocked))
        for sender in blocked:
            sender.refused(TargetNotFound(self.owner))
        self._wake_taker()
        return left

    def count_refused(self) -> None:
        """Count a message that would have waited here, had it not been refused."""
        self._tally.count(Ending.REFUSED)

    @property
    def blocked_senders(self) -> tuple[ComponentId, ...]:
        """Whose messages wait for room, the first to have come first."""
        return tuple(envelope.sender for envelope, _ in self._blocked.values())

    def statistics(self) -> MailboxStatistics:
        """Count what is here now."""
        return self._tally.statistics(
            handled=self._handled,
            high_water=self._high_water,
            queued=len(self._queue),
            callbacks=len(self._callbacks),
            stashed=len(self._stash),
            in_hand=int(self.in_hand is not None),
            capacity=self.capacity,
            blocked_senders=len(self._blocked),
        )

    def block(
        self, sender: BlockedSender, envelope: Envelope, recheck: Recheck | None = None
    ) -> None:
        """Let a message wait for room; only while `is_full`.

        Does not wait itself: the sender parks its own task. When there is room,
        `recheck` is asked in the middle of the taker's step; it must not send or take.
        """
        self._blocked[sender] = (envelope, recheck)

    def unblock(self, sender: BlockedSender) -> bool:
        """Let a message wait no longer; False if it did not wait here any more."""
        if self._blocked.pop(sender, None) is None:
            return False
        self._tally.count(Ending.WITHDRAWN)
        return True

    def _enqueue(self, envelope: Envelope) -> None:
        self._queue.append(envelope)
        if len(self._queue) > self._high_water:  # noqa: PLR1730  # max() takes longer
            self._high_water = len(self._queue)
        if self._taker is not None:
            self._wake_taker()

    def _wake_taker(self) -> None:
        taker, self._taker = self._taker, None
        if taker is not None:
            reschedule(taker)

    def _abort_take(self, _: object) -> Abort:
        self._taker = None
        return Abort.SUCCEEDED

    def _admit_blocked(self) -> None:
        while self._blocked and len(self._queue) < self.capacity:
            sender, (envelope, recheck) = next(iter(self._blocked.items()))
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
        if not push_out(self.owner, self._queue, self.rules):
            return False
        self._tally.count(Ending.DROPPED)
        return True
