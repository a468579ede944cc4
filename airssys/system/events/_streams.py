"""Streams of what a system reports: each listener has its own, and none waits for it.

What is kept for a listener is limited in number and in bytes, because one text or payload
may be as large as a thousand others. Without a listener nothing is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, final

import trio

from airssys.contracts import MIB, DeadLetter, Event

from ._backlog import Backlog
from ._text_bytes import text_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS_KEPT: Final = 1000
"""Events that a stream keeps for a listener that does not keep up."""
EVENT_BYTES: Final = 16 * MIB
"""Bytes of their texts that it keeps: what guests logged, errors, reasons."""
DEAD_LETTERS_KEPT: Final = 1000
"""Dead letters that a stream keeps for a listener that does not keep up."""
DEAD_LETTER_BYTES: Final = 16 * MIB
"""Bytes of payload that it keeps in total."""

T = TypeVar("T")


class Stream(AsyncIterator[T]):
    """What is reported from now on, for one listener.

    Args:
        capacity: The number of items that are kept for it.
        kept_bytes: The number of their bytes that are kept.
        size: Counts the bytes of one item.
    """

    def __init__(
        self, capacity: int, kept_bytes: int, size: Callable[[T], int]
    ) -> None:
        self._kept: Backlog[T] = Backlog(capacity, kept_bytes)
        self._size = size
        self.total = 0
        """Items since this listener began."""
        self.dropped = 0
        """Those that were dropped because the listener did not keep up."""

    def offer(self, item: T) -> bool:
        """Add an item, at once; False if the listener has left."""
        if self._kept.is_ended:
            return False
        self.total += 1
        self.dropped += self._kept.push(item, self._size(item))
        return True

    def end(self) -> None:
        """Let the listener take what is left, and then end."""
        self._kept.end()

    def close(self) -> None:
        """Stop listening."""
        self._kept.close()

    def next_nowait(self) -> T:
        """Return the next item.

        Raises:
            trio.WouldBlock: There is none yet.
            trio.EndOfChannel: There will be none.
        """
        return self._kept.next_nowait()

    async def __anext__(self) -> T:
        try:
            return await self._kept.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class EventStream(Stream[Event]):
    """The events from now on, for one listener; created by `System.events`.

    Iterating waits for the next event and ends with the system. When the listener does
    not keep up, the oldest events are dropped and counted. Leaving its `with` block
    ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int = EVENT_BYTES) -> None:
        super().__init__(capacity, kept_bytes, text_bytes)


@final
class DeadLetterStream(Stream[DeadLetter]):
    """The dead letters from now on, for one listener; created by `System.dead_letters`.

    They have their payloads, for code that inspects or resends them. Iterating waits for
    the next one and ends with the system. When the listener does not keep up, the oldest
    are dropped and counted. Leaving its `with` block ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int) -> None:
        super().__init__(capacity, kept_bytes, lambda letter: len(letter.payload))


S = TypeVar("S", bound=Stream[Any])


@final
class Listeners(Generic[T, S]):
    """All listeners of one system to one kind of stream.

    Args:
        make: Makes a stream that keeps that many items and bytes.
    """

    def __init__(self, make: Callable[[int, int], S]) -> None:
        self._make = make
        self.streams: list[S] = []
        """Those that listen; some may have left since the last item."""
        self._is_closed = False

    def offer(self, item: T) -> None:
        """Pass an item to each listener."""
        if self.streams:
            self.streams = [s for s in self.streams if s.offer(item)]

    def listen(self, capacity: int, kept_bytes: int) -> S:
        """Open one more stream.

        Raises:
            ValueError: `capacity` or `kept_bytes` is below 1.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("capacity and kept_bytes must be 1 or more")
        stream = self._make(capacity, kept_bytes)
        if self._is_closed:
            stream.end()
        else:
            self.streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams, because the system has ended."""
        self._is_closed = True
        streams, self.streams = self.streams, []
        for stream in streams:
            stream.end()
