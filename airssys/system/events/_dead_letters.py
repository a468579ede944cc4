"""Dead letters with their payloads, for code that inspects or resends them.

What is kept for a listener is limited in number and in bytes, because one payload may
be as large as a thousand others. Without a listener nothing is kept.
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
    """The dead letters from now on, for one listener; created by `System.dead_letters`.

    Iterating waits for the next one and ends with the system. When the listener does
    not keep up, the oldest are dropped and counted. Leaving its `with` block ends it.
    """

    def __init__(self, capacity: int, kept_bytes: int) -> None:
        self._letters: Backlog[DeadLetter] = Backlog(capacity, kept_bytes)
        self.total = 0
        """Dead letters since this listener began."""
        self.dropped = 0
        """Those that were dropped because the listener did not keep up."""

    def offer(self, letter: DeadLetter) -> bool:
        """Add a dead letter, at once; False if the listener has left."""
        if self._letters.is_ended:
            return False
        self.total += 1
        self.dropped += self._letters.push(letter, len(letter.payload))
        return True

    def end(self) -> None:
        """Let the listener take what is left, and then end."""
        self._letters.end()

    def close(self) -> None:
        """Stop listening."""
        self._letters.close()

    def next_nowait(self) -> DeadLetter:
        """Return the next dead letter.

        Raises:
            trio.WouldBlock: There is none yet.
            trio.EndOfChannel: There will be none.
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
        """Pass a dead letter to each listener."""
        if self._streams:
            self._streams = [s for s in self._streams if s.offer(letter)]

    def listen(self, capacity: int, kept_bytes: int) -> DeadLetterStream:
        """Open one more stream.

        Raises:
            ValueError: `capacity` or `kept_bytes` is below 1.
        """
        if capacity < 1 or kept_bytes < 1:
            raise ValueError("capacity and kept_bytes must be 1 or more")
        stream = DeadLetterStream(capacity, kept_bytes)
        if self._is_closed:
            stream.end()
        else:
            self._streams.append(stream)
        return stream

    def close(self) -> None:
        """End all streams, because the system has ended."""
        self._is_closed = True
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.end()
