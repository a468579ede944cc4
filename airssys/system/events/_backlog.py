"""What is kept for a listener that does not keep up, limited in number and in bytes.

A Trio channel is only limited in number, and a thousand items may take a gibibyte. The
sum of bytes is updated with each change, and never recomputed.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar, final

import trio
from outcome import Value
from trio.lowlevel import (
    Abort,
    ParkingLot,
    Task,
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

T = TypeVar("T")


@final
class Backlog(Generic[T]):
    """Items for one listener, the oldest first, each with its size in bytes.

    Args:
        capacity: The number of items that are kept.
        most_bytes: The number of bytes that are kept.
    """

    def __init__(self, capacity: float, most_bytes: float) -> None:
        self._capacity, self._most_bytes = capacity, most_bytes
        self._things: deque[tuple[T, int]] = deque()
        self._bytes = 0
        self._waiting = ParkingLot()
        """Tasks of the listener."""
        self._blocked: OrderedDict[Task, tuple[T, int]] = OrderedDict()
        """Tasks that wait for room, in order; empty while the first would have room."""
        self.is_ended = False
        """It accepts no more items."""

    def __len__(self) -> int:
        return len(self._things)

    def add(self, thing: T, size: int) -> bool:
        """Keep one more item, at once; False without room. One alone always has room."""
        if self._blocked or not self._has_room(size):
            return False
        self._append(thing, size)
        return True

    def push(self, thing: T, size: int) -> int:
        """Keep one more item, and drop the oldest to make room; return how many.

        An item larger than the limit is removed too.
        """
        self._append(thing, size)
        dropped = 0
        while len(self._things) > self._capacity or self._bytes > self._most_bytes:
            self.pop()
            dropped += 1
        return dropped

    @enable_ki_protection
    async def put(self, thing: T, size: int) -> bool:
        """Keep one more item as soon as there is room; False if it ended before.

        This is a checkpoint. If it is cancelled, the item is not kept.
        """
        await checkpoint_if_cancelled()
        if self.is_ended or self.add(thing, size):
            await cancel_shielded_checkpoint()
            return not self.is_ended
        task = current_task()
        self._blocked[task] = thing, size

        def abort(_: object) -> Abort:
            del self._blocked[task]
            self._let_in()
            return Abort.SUCCEEDED

        is_kept: bool = await wait_task_rescheduled(abort)
        return is_kept

    def pop(self) -> T:
        """Remove and return the oldest.

        Raises:
            IndexError: There is none.
        """
        thing, size = self._things.popleft()
        self._bytes -= size
        self._let_in()
        return thing

    def next_nowait(self) -> T:
        """Remove and return the oldest.

        Raises:
            trio.WouldBlock: There is none yet.
            trio.EndOfChannel: There will be none.
        """
        if self._things:
            return self.pop()
        if self.is_ended:
            raise trio.EndOfChannel
        raise trio.WouldBlock

    async def next(self) -> T:
        """Remove and return the oldest, as soon as there is one. This is a checkpoint.

        Raises:
            trio.EndOfChannel: There will be none.
        """
        await trio.lowlevel.checkpoint()
        while not self._things and not self.is_ended:
            await self._waiting.park()
        return self.next_nowait()

    def end(self) -> None:
        """Accept no more items; those that are kept can still be taken."""
        self.is_ended = True
        blocked, self._blocked = self._blocked, OrderedDict()
        for task in blocked:
            reschedule(task, Value(value=False))
        self._waiting.unpark_all()

    def close(self) -> None:
        """Accept no more items, and drop those that are kept."""
        self._things.clear()
        self._bytes = 0
        self.end()

    def _has_room(self, size: int) -> bool:
        return not self._things or (
            len(self._things) < self._capacity
            and self._bytes + size <= self._most_bytes
        )

    def _append(self, thing: T, size: int) -> None:
        self._things.append((thing, size))
        self._bytes += size
        self._waiting.unpark()

    def _let_in(self) -> None:
        while self._blocked:
            task, (thing, size) = next(iter(self._blocked.items()))
            if not self._has_room(size):
                return
            del self._blocked[task]
            self._append(thing, size)
            reschedule(task, Value(value=True))
