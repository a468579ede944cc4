"""What a mailbox holds: the queue, what was set aside, who waits for room, the counts.

How messages come in and are taken out is `_mailbox`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs
from trio.lowlevel import (
    Task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from airssys.contracts import (
    DEFAULT_MAILBOX_BYTES,
    DEFAULT_MESSAGE_BYTES,
    Callback,
    Codecs,
    ComponentId,
    Envelope,
    OverflowRules,
    StashFull,
)

from ._blocked_senders import BlockedSender, Parking, Recheck
from ._droppable_queue import Queue
from ._overflow import check_capacity, queue_for
from ._statistics import Ending, MailboxStatistics, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Unanswered


CROWD: Final = 16
"""Messages that wait for an actor before guests that send it more give way to it."""

AtOnce: TypeAlias = "Callable[[Envelope, Task], bytes | Unanswered | None]"
"""Begins to handle a message without waiting, in the name of the task that takes."""


# Without NO_OP, attrs would look for a validator at every assignment to any field.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class MailboxContents:
    """What is in a mailbox, and what became of what was.

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
    most_bytes: int = DEFAULT_MAILBOX_BYTES
    """Bytes of payload that may queue, and as many may be set aside; see `_share`."""
    unexamined_bytes: int = attrs.field(init=False, repr=False)
    """Larger payloads need a closer look; -1: all do."""
    in_hand: Envelope | None = attrs.field(init=False, default=None)
    """Taken and not yet released."""
    _queue: Queue = attrs.field(kw_only=True, repr=False)
    _blocked: dict[BlockedSender, tuple[Envelope, Recheck | None]] = attrs.field(
        init=False, repr=False, factory=dict
    )
    """In order of arrival. Invariant at every checkpoint: empty unless the queue has no
    room, or had none for one that has left since. Then the next take lets others in."""
    _share: int = attrs.field(init=False, repr=False, default=0)
    """Payloads up to this size are not counted: a queue full of them takes a quarter of
    `most_bytes`. So most messages cost a comparison, and no sum."""
    _queued_bytes: int = attrs.field(init=False, default=0)
    """Of the larger payloads in the queue. Invariant: at most `most_bytes`, unless the
    queue was added to without being asked for room."""
    _stashed_bytes: int = attrs.field(init=False, default=0)
    """The same of the stash."""
    _callbacks: deque[Callback] | tuple[()] = attrs.field(
        init=False, repr=False, default=()
    )
    """Answers to what the owner asked for. They need no room: there are never more of
    them than it has requests open. Most owners make none, and get no deque."""
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

    def __attrs_post_init__(self) -> None:
        self._share = self.most_bytes // (4 * self.capacity)

    @_queue.default
    def _make_queue(self) -> Queue:
        return queue_for(self.rules)

    @property
    def keeps_up(self) -> bool:
        """Whether few messages wait: fewer than `CROWD`, and they leave half of the room."""
        queued = len(self._queue)
        return (
            queued < CROWD
            and 2 * queued < self.capacity - 2
            # So there is room for one more, however large.
            and not self._queued_bytes
        )

    @property
    def is_full(self) -> bool:
        """Whether a message must wait; also while others wait for the room there is."""
        return (
            len(self._queue) >= self.capacity
            or self._queued_bytes >= self.most_bytes
            or bool(self._blocked)
        )

    @property
    def is_full_of_bytes(self) -> bool:
        """Whether there is room for messages, but not for their bytes."""
        return (
            self._queued_bytes >= self.most_bytes and len(self._queue) < self.capacity
        )

    def _has_room(self, envelope: Envelope) -> bool:
        """Say whether a message fits into the queue, whoever else may wait."""
        return len(self._queue) < self.capacity and (
            not self._queued_bytes
            or self._queued_bytes + self._weight(envelope) <= self.most_bytes
        )

    def _weight(self, envelope: Envelope) -> int:
        """Say how many bytes of a message count."""
        size = len(envelope.payload)
        return size if size > self._share else 0

    @property
    def newest(self) -> Envelope | None:
        """The message that came last and waits, in the queue or for room in it."""
        if self._blocked:
            return next(reversed(self._blocked.values()))[0]
        queue = self._queue
        if not queue:
            return None
        return queue[-1] if isinstance(queue, deque) else queue.newest()

    @enable_ki_protection
    def check_stash(self) -> None:
        """Make sure that one more message may be set aside.

        Raises:
            StashFull: it may not.
        """
        if len(self._stash) >= self.capacity:
            raise StashFull(self.owner, self.capacity)
        if self.in_hand is not None and self._stashed_bytes:
            size = self._stashed_bytes + self._weight(self.in_hand)
            if size > self.most_bytes:
                raise StashFull(self.owner, self.capacity, self.most_bytes)

    @enable_ki_protection
    def stash(self) -> None:
        """Set the message in hand aside, if there is one, to be taken again later.

        Raises:
            StashFull: there are too many already; it stays in hand.
        """
        self.check_stash()
        if self.in_hand is not None:
            self._stash.append(self.in_hand)
            self._stashed_bytes += self._weight(self.in_hand)
            self.in_hand = None

    @enable_ki_protection
    def unstash_all(self) -> None:
        """Put all that was set aside back at the head of the queue, in order.

        There is always room for them; others find the mailbox full meanwhile.
        """
        if self._stash:
            self._queue.extendleft(reversed(self._stash))
            self._stash.clear()
            self._queued_bytes += self._stashed_bytes
            self._stashed_bytes = 0
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
        if not self._blocked:
            # A plain dict finds its first key the slower the more were deleted before.
            self._blocked = OrderedDict()
        self._blocked[sender] = (envelope, recheck)

    def unblock(self, sender: BlockedSender) -> bool:
        """Let a message wait no longer; False if it did not wait here any more."""
        if self._blocked.pop(sender, None) is None:
            return False
        self._tally.count(Ending.WITHDRAWN)
        return True

    def _enqueue(self, envelope: Envelope) -> None:
        self._queue.append(envelope)
        self._queued_bytes += self._weight(envelope)
        if len(self._queue) > self._high_water:  # noqa: PLR1730  # max() takes longer
            self._high_water = len(self._queue)
        if self._taker is not None:
            self._wake_taker()

    def _wake_taker(self) -> None:
        taker, self._taker = self._taker, None
        if taker is not None:
            reschedule(taker)
