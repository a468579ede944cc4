"""A queue out of which the oldest message that may be dropped is taken in constant time.

Only mailboxes with the policy `Overflow.DROP_OLDEST` have one: when they are full they
drop a message for each that comes, and it is then that there is no time to search.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airssys.contracts import Envelope

_Numbered: TypeAlias = "deque[tuple[int, Envelope]]"


class DroppableQueue:
    """Messages, first in, first out, like a deque of them.

    Two queues: those that may be dropped, and the rest, each in its order and each
    message with its number. The next one is that with the lower number.
    """

    __slots__ = ("_droppable", "_first", "_kept", "_last", "_may_drop")

    def __init__(self, may_drop: Callable[[Envelope], bool]) -> None:
        self._may_drop = may_drop
        self._droppable: _Numbered = deque()
        self._kept: _Numbered = deque()
        # Numbers are never used again while the queue is not empty.
        self._first, self._last = 0, -1

    def __len__(self) -> int:
        return len(self._droppable) + len(self._kept)

    def __iter__(self) -> Iterator[Envelope]:
        """Visit all messages, the oldest first."""
        # Numbers differ, so that envelopes are never compared.
        for _, envelope in heapq.merge(self._droppable, self._kept):
            yield envelope

    def append(self, envelope: Envelope, /) -> None:
        """Add a message at the end."""
        self._last += 1
        self._queue_for(envelope).append((self._last, envelope))

    def popleft(self) -> Envelope:
        """Remove and return the oldest message.

        Raises:
            IndexError: there is none.
        """
        droppable, kept = self._droppable, self._kept
        if droppable and not (kept and kept[0][0] < droppable[0][0]):
            return droppable.popleft()[1]
        return kept.popleft()[1]

    def newest(self) -> Envelope:
        """Return the message that came last.

        Raises:
            IndexError: there is none.
        """
        droppable, kept = self._droppable, self._kept
        if droppable and not (kept and kept[-1][0] > droppable[-1][0]):
            return droppable[-1][1]
        return kept[-1][1]

    def drop_oldest(self) -> Envelope | None:
        """Remove and return the oldest message that may be dropped; None: there is none."""
        return self._droppable.popleft()[1] if self._droppable else None

    def extend(self, envelopes: Iterable[Envelope], /) -> None:
        """Add messages at the end, in their order."""
        for envelope in envelopes:
            DroppableQueue.append(self, envelope)

    def extendleft(self, envelopes: Iterable[Envelope], /) -> None:
        """Add messages at the head, one after the other, so that the last one is next."""
        for envelope in envelopes:
            self._first -= 1
            self._queue_for(envelope).appendleft((self._first, envelope))

    def clear(self) -> None:
        """Remove all."""
        self._droppable.clear()
        self._kept.clear()

    def _queue_for(self, envelope: Envelope) -> _Numbered:
        return self._droppable if self._may_drop(envelope) else self._kept


Queue: TypeAlias = "deque[Envelope] | DroppableQueue"
"""What a mailbox keeps its messages in."""

NOTHING_QUEUED: Final[deque[Envelope]] = deque(maxlen=0)
"""The queue of every plain mailbox that never had a message. Most of many actors are idle,
and an empty deque takes as much as a tenth of an actor."""


def take_wanted(queue: Queue, wanted: Callable[[Envelope], bool]) -> list[Envelope]:
    """Remove the messages that are wanted, and return them, each in its order.

    `wanted` may call the program's own code, and that may send messages, so it is called
    for all messages before any is removed.
    """
    chosen = {id(each): each for each in tuple(queue) if wanted(each)}
    taken = [each for each in queue if id(each) in chosen]
    if taken:
        kept = [each for each in queue if id(each) not in chosen]
        queue.clear()
        queue.extend(kept)
    return taken
