"""One actor's queue of messages, with back-pressure, and the slot of the one in hand.

Three rules govern this file:

* A message is in one place only: with a blocked sender, in the queue, or in hand. Each
  step from one place to the next happens between two checkpoints, so that no
  cancellation falls into it.
* Room that becomes free belongs to the sender that has been blocked longest. Hence a
  blocked sender means a full queue, and nobody overtakes.
* Waking a task tells it only that something changed or ended; the message itself never
  travels with the wake-up. A taker that dies on the way to its message loses nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias, final

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
    Callback,
    ComponentId,
    Envelope,
    MailboxFull,
    TargetNotFound,
)

Recheck: TypeAlias = Callable[[Envelope], None]
"""Decides, when there is room at last, whether a message may still be delivered; raises
the error for its sender if not. Synchronous."""


def _nothing() -> None:
    """Do nothing when a wait ends."""


class BlockedSender(Protocol):
    """Somebody whose message waits for room; told exactly once how that ended."""

    def admitted(self) -> None:
        """The message is in the queue now."""
        ...

    def refused(self, error: Exception) -> None:
        """The message was not delivered and will not be."""
        ...


@final
@attrs.frozen
class MailboxStatistics:
    """How full a mailbox is at one moment."""

    queued: int
    """Messages in the queue; the one in hand does not count."""
    capacity: int
    high_water: int
    """The most that were ever queued at once."""
    blocked_senders: int
    """Senders that wait for room."""


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
    capacity: int = attrs.field()
    """Messages that may queue."""
    in_hand: Envelope | None = attrs.field(init=False, default=None)
    """Taken and not yet released."""
    _queue: deque[Envelope] = attrs.field(init=False, repr=False, factory=deque)
    _blocked: dict[BlockedSender, tuple[Envelope, Recheck | None]] = attrs.field(
        init=False, repr=False, factory=dict
    )
    """In order of arrival. Invariant at every checkpoint: empty unless the queue is full."""
    _callbacks: deque[Callback] = attrs.field(init=False, repr=False, factory=deque)
    """Answers to what the owner asked for. They need no room: there are never more of
    them than it has requests open."""
    _owes_message: bool = attrs.field(init=False, default=False)
    """The last one taken was a callback: a message is next, if there is one."""
    _taker: Task | None = attrs.field(init=False, repr=False, default=None)
    """The task that is parked in `take`."""
    _closed: bool = attrs.field(init=False, default=False)
    _high_water: int = attrs.field(init=False, default=0)

    @capacity.validator
    def _check_capacity(self, _: object, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            problem = f"capacity must be a whole number above 0, not {value!r:.80}"
            raise ValueError(problem)

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
        if self._closed:
            raise TargetNotFound(self.owner)
        if len(self._queue) >= self.capacity or self._blocked:
            raise MailboxFull(self.owner, self.capacity)
        self._enqueue(envelope)

    @enable_ki_protection
    def put_callback(self, callback: Callback) -> bool:
        """Add a callback, full or not; False if the mailbox was closed.

        Callbacks are in an order of their own and taken in turns with messages, so that
        neither keeps the other waiting.
        """
        if self._closed:
            return False
        self._callbacks.append(callback)
        self._wake_taker()
        return True

    @enable_ki_protection
    def remove_callbacks(self) -> tuple[Callback, ...]:
        """Remove the callbacks that were not taken yet, and return them in order."""
        removed = tuple(self._callbacks)
        self._callbacks.clear()
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
            await self.wait_for_room(envelope)
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
            raise trio.WouldBlock
        envelope = self.in_hand = self._queue.popleft()
        if self._blocked:
            self._admit_blocked()
        return envelope

    @enable_ki_protection
    async def take(self) -> Envelope:
        """Take the oldest message into the hand, as soon as there is one.

        A checkpoint. If it is cancelled no message was taken.

        Raises:
            trio.BusyResourceError: another task takes, or the last message was not
                released yet.
            trio.ClosedResourceError: the mailbox was closed, before or meanwhile.
        """
        await checkpoint_if_cancelled()
        if self._taker is not None or self.in_hand is not None:
            raise trio.BusyResourceError("one message and one taker at a time")
        if self._queue or self._callbacks or self._closed:
            envelope = self.take_nowait()
            await cancel_shielded_checkpoint()
            return envelope
        while not (self._queue or self._callbacks or self._closed):
            self._taker = current_task()
            await wait_task_rescheduled(self._abort_take)
        return self.take_nowait()

    @enable_ki_protection
    def release(self) -> Envelope | None:
        """Empty the hand: its message has been dealt with. Return it, if there was one."""
        envelope, self.in_hand = self.in_hand, None
        return envelope

    @enable_ki_protection
    def close(self) -> tuple[Envelope, ...]:
        """Close for good and hand out what is left: in hand first, then in order.

        Callbacks that were not taken come before messages.

        Blocked senders get `TargetNotFound`; their messages are not among those handed
        out. Closing again returns nothing.
        """
        in_hand = self.release()
        left: tuple[Envelope, ...] = () if in_hand is None else (in_hand,)
        left += self.remove_callbacks() + tuple(self._queue)
        self._closed = True
        self._queue.clear()
        blocked, self._blocked = self._blocked, {}
        for sender in blocked:
            sender.refused(TargetNotFound(self.owner))
        self._wake_taker()
        return left

    def statistics(self) -> MailboxStatistics:
        """Count what is here now."""
        return MailboxStatistics(
            queued=len(self._queue),
            capacity=self.capacity,
            high_water=self._high_water,
            blocked_senders=len(self._blocked),
        )

    @enable_ki_protection
    async def wait_for_room(
        self,
        envelope: Envelope,
        recheck: Recheck | None = None,
        ended: Callable[[], None] = _nothing,
    ) -> None:
        """Park the calling task until its message is delivered; only while `is_full`.

        If it is cancelled the message was not delivered.

        Args:
            envelope: the message.
            recheck: asked when there is room; see `block`.
            ended: called once, in the step in which the wait ends, however it does; the
                sender's task itself runs only later.

        Raises:
            TargetNotFound: the mailbox was closed meanwhile.
            Exception: what `recheck` raised.
        """
        parked = _ParkedTask(current_task(), ended)

        def abort(_: object) -> Abort:
            self.unblock(parked)
            ended()
            return Abort.SUCCEEDED

        self.block(parked, envelope, recheck)
        await wait_task_rescheduled(abort)

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
        return self._blocked.pop(sender, None) is not None

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
            error = _refusal(envelope, recheck)
            if not self.unblock(sender):
                continue
            if error is None:
                self._enqueue(envelope)
                sender.admitted()
            else:
                sender.refused(error)


def _refusal(envelope: Envelope, recheck: Recheck | None) -> Exception | None:
    if recheck is None:
        return None
    try:
        recheck(envelope)
    except Exception as error:  # noqa: BLE001  # a gate's bug is for the sender
        return error
    return None


@final
@attrs.define(eq=False)
class _ParkedTask:
    """A sender whose task sleeps until its message is delivered or refused."""

    task: Task
    ended: Callable[[], None]

    def admitted(self) -> None:
        self.ended()
        reschedule(self.task)

    def refused(self, error: Exception) -> None:
        self.ended()
        reschedule(self.task, Error(error))
