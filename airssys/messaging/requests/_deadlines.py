"""Which of many pending items is due next; a heap whose entries go stale cheaply."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import Final, Generic, TypeVar, final

import attrs

T = TypeVar("T")

_STALE_ENTRIES_ALLOWED: Final = 1000
"""As many as Trio allows in its own heap of deadlines (`trio/_core/_run.py`)."""


@final
@attrs.define(eq=False, repr=False)
class Deadlines(Generic[T]):
    """Pending items, each with the time at which it is due.

    Most items are discarded long before they are due. That leaves their heap entry
    behind, which goes when it comes to the top or when stale entries outnumber the
    pending items by a thousand: constant time on average, memory bounded by the load.
    """

    _pending: dict[T, int] = attrs.field(init=False, factory=dict)
    """Items in the order they were added, each with its number. A heap entry whose
    number is not here is stale."""
    _heap: list[tuple[float, int, T]] = attrs.field(init=False, factory=list)
    _numbers: Iterator[int] = attrs.field(init=False, factory=itertools.count)
    _sweep_at: int = attrs.field(init=False, default=_STALE_ENTRIES_ALLOWED)
    """Length of the heap at which stale entries are swept out."""

    def __len__(self) -> int:
        return len(self._pending)

    def __iter__(self) -> Iterator[T]:
        """Visit the pending items, oldest first."""
        return iter(tuple(self._pending))

    def add(self, item: T, deadline: float) -> None:
        """Note an item that is not pending; it is never due if its deadline is infinite.

        The same holds for NaN, which would spoil the order of all others.
        """
        number = self._pending[item] = next(self._numbers)
        if not deadline < math.inf:
            return
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        heapq.heappush(self._heap, (deadline, number, item))

    def discard(self, item: T) -> None:
        """Forget an item; nothing happens if it is not pending."""
        self._pending.pop(item, None)

    def earliest(self) -> float:
        """Return when the next item is due, or infinity."""
        heap = self._heap
        while heap and self._is_stale(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def pop_due(self, now: float, most: float = math.inf) -> list[T]:
        """Forget and return items whose deadline is not after `now`, in its order."""
        due: list[T] = []
        while len(due) < most and self.earliest() <= now:
            item = heapq.heappop(self._heap)[2]
            del self._pending[item]
            due.append(item)
        return due

    def _is_stale(self, entry: tuple[float, int, T]) -> bool:
        return self._pending.get(entry[2]) != entry[1]

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if not self._is_stale(entry)]
        heapq.heapify(self._heap)
        self._sweep_at = 2 * len(self._heap) + _STALE_ENTRIES_ALLOWED
