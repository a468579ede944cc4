"""What is published, for plain Trio code: an async iterator with a lag policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import ComponentId, Envelope, Lag

if TYPE_CHECKING:
    from airssys.messaging import Delivery, Publishing


@final
class Subscription(AsyncIterator[Envelope]):
    """Published messages from now on, for one listener; made by `System.subscribe`.

    Iterating waits for the next one; `topic`, `sender` and `payload` are set. It ends
    when it was closed, when it did not keep up and its lag policy is DISCONNECT, and
    with the system; what it kept before is still handed out. Leaving its `with` block
    closes it.
    """

    def __init__(
        self,
        id: ComponentId,  # noqa: A002  # as in the contracts
        publishing: Publishing,
        capacity: int,
        lag: Lag,
    ) -> None:
        self.id = id
        self._publishing, self._lag = publishing, lag
        self._post, self._kept = trio.open_memory_channel[Envelope](capacity)
        self.dropped = 0
        """Messages that it lost because it did not keep up."""
        self.is_closed = False
        """It takes no more messages."""
        self.disconnected = False
        """It did not keep up, and gets no more."""

    def offer(self, envelope: Envelope, _: object) -> Delivery | None:
        """Keep a message now, as the lag policy says."""
        try:
            self._post.send_nowait(envelope)
        except trio.WouldBlock:
            if self._lag is Lag.BLOCK:
                return partial(self._deliver, envelope)
            self._lose(envelope)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        return None

    @enable_ki_protection
    async def _deliver(self, envelope: Envelope) -> None:
        """Keep a message as soon as there is room, unless it is closed before."""
        try:
            await self._post.send(envelope)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def end(self) -> None:
        """Take no more; hand out what was kept, and then end."""
        self.is_closed = True
        self._publishing.subscriptions.remove_all(self)
        self._post.close()

    def close(self) -> None:
        """End at once, and let go of what was kept."""
        self.end()
        self._kept.close()

    def next_nowait(self) -> Envelope:
        """Return the next message.

        Raises:
            trio.WouldBlock: there is none yet.
            trio.EndOfChannel: there will be none.
        """
        return self._kept.receive_nowait()

    def _lose(self, envelope: Envelope) -> None:
        self.dropped += 1
        if self._lag is Lag.DROP_OLDEST:
            self._kept.receive_nowait()
            self._post.send_nowait(envelope)
        elif self._lag is Lag.DISCONNECT:
            self.disconnected = True
            self.end()

    async def __anext__(self) -> Envelope:
        try:
            return await self._kept.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise StopAsyncIteration from None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
