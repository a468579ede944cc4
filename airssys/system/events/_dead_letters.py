"""Dead letters with their payloads, for those who want to look at them or send them again.

What is kept for a listener is bounded in number and in bytes, for one payload may be as
large as a thousand others. Without a listener nothing is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, final

import trio

from airssys.contracts import MIB, DeadLetter

from ._backlog import Backlog

DEAD_LETTERS_KEPT: Final = 1000
"""Dead letters that a stream keeps for a listener that does not keep up."""
DEAD_LETTER_BYTES: Final = 16 * MIB
"""Bytes of payload that it keeps in total."""


@final
class DeadLetterStream(AsyncIterator[DeadLetter]):
    """The dead letters from now on, for one listener; made by `System.dead_letters`.

    Iterating waits for the next one and ends with the system. When the listener does not
    keep up, the oldest are dropped and counted. Leaving its `with` block ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int) -> None:
        self._letters: Backlog[DeadLetter] = Backlog(capacity, kept_bytes)
        self.total = 0
        """Dead letters since this listener began."""
        self.dropped = 0
        """Those among them that it missed because it did not keep up."""

    def offer(self, letter: DeadLetter) -> bool:
        """Add a dead letter, at once; False if nobody listens any more."""
        if self._letters.is_ended:
            return False
        self.total += 1
        self.dropped += self._letters.push(letter, len(letter.payload))
        return True

    def end(self) -> None:
        """Let the listener have what is left, and then end."""
        self._letters.end()

    def close(self) -> None:
        """Listen no more."""
        self._letters.close()

    def next_nowait(self) -> DeadLetter:
        """Return the next dead letter.

        Raises:
            trio.WouldBlock: there is none yet.
            trio.EndOfChannel: there will be none.
        """
        return self._letters.next_nowait()

    async def __anext__(self) -> DeadLetter:
        try:
            return await self._letters.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def __enter__(self) -> DeadLetterStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
class DeadLetterFanout:
    """All listeners to the dead letters of one system."""

    def __init__(self) -> None:
        self._streams: list[DeadLetterStream] = []
        self._is_closed = False

    def offer(self, letter: DeadLetter) -> None:
        """Give a dead letter to each listener."""
        if self._streams:
            self._streams = [s for s in self._streams if s.offer(letter)]

    def listen(self, capacity: int, kept_bytes: int) -> DeadLetterStream:
        """Open one more stream.

        Raises:
            ValueError: it may keep nothing.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("a stream keeps 1 dead letter and 1 byte or more")
        stream = DeadLetterStream(capacity, kept_bytes)
        if self._is_closed:
            stream.end()
        else:
            self._streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams: the system is no more."""
        self._is_closed = True
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.end()
