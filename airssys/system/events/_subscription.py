"""Published messages for plain Trio code: an async iterator with a lag policy.

A publisher waits for a listener whose policy is BLOCK, but not for ever: a listener
that takes nothing for its whole patience is reported by an event, and publishers do not
wait for it until it takes a message again.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Final, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import ComponentId, Envelope, Lag, ListenerStalled

from ._backlog import Backlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import EventSink
    from airssys.messaging import Delivery, Publishing

PATIENCE: Final = 30.0
"""Seconds that a publisher waits for a listener that takes nothing."""


@final
class Subscription(AsyncIterator[Envelope]):
    """Published messages from now on, for one listener; created by `System.subscribe`.

    Iterating waits for the next one; `topic`, `sender` and `payload` are set. It ends
    when it is closed, when the listener does not keep up and the lag policy is
    DISCONNECT, and with the system; messages that were kept before are still returned.
    Leaving its `with` block closes it.
    """

    def __init__(  # noqa: PLR0913  # what a subscription consists of
        self,
        id: ComponentId,  # noqa: A002  # as in the contracts
        publishing: Publishing,
        capacity: int,
        lag: Lag,
        *,
        patience: float = PATIENCE,
        kept_bytes: int,
        events: EventSink = lambda _: None,
        on_end: Callable[[Subscription], None] = lambda _: None,
    ) -> None:
        self.id = id
        self._publishing, self._lag = publishing, lag
        self._patience, self._events, self._on_end = patience, events, on_end
        self._made_at = _caller() if lag is Lag.BLOCK else ""
        self._taken = 0
        """Messages that its listener has taken."""
        self._kept: Backlog[Envelope] = Backlog(capacity, kept_bytes)
        self.dropped = 0
        """Messages that were lost because the listener did not keep up."""
        self.is_closed = False
        """Whether it accepts no more messages."""
        self.disconnected = False
        """Whether the listener did not keep up, and gets no more."""
        self.is_stalled = False
        """Whether publishers do not wait until the listener takes a message."""

    def offer(self, envelope: Envelope, _: object) -> Delivery | None:
        """Keep a message now, according to the lag policy."""
        kept = self._kept
        if not kept.is_ended and not kept.add(envelope, len(envelope.payload)):
            if self._lag is Lag.BLOCK and not self.is_stalled:
                return partial(self._deliver, envelope)
            self._lose(envelope)
        return None

    @enable_ki_protection
    async def _deliver(self, envelope: Envelope) -> None:
        """Keep a message as soon as there is room, unless it is closed before.

        Also gives up if the listener takes nothing for its whole patience.
        """
        taken = -1
        while taken != self._taken and not self.is_stalled:
            taken = self._taken
            with trio.move_on_after(self._patience):
                await self._kept.put(envelope, len(envelope.payload))
                return
        self.dropped += 1
        if not self.is_stalled:
            self.is_stalled = True
            patterns = ", ".join(self._publishing.subscriptions.patterns_of(self))
            listener = f"{patterns} created at {self._made_at}"
            self._events(
                ListenerStalled(listener, envelope.topic or "", self._patience)
            )

    def end(self) -> None:
        """Accept no more messages; return those that were kept, and then end."""
        self.is_closed = True
        self._publishing.subscriptions.remove_all(self)
        self._kept.end()
        self._on_end(self)

    def close(self) -> None:
        """End at once, and drop what was kept."""
        self.end()
        self._kept.close()

    def next_nowait(self) -> Envelope:
        """Return the next message.

        Raises:
            trio.WouldBlock: There is none yet.
            trio.EndOfChannel: There will be none.
        """
        envelope = self._kept.next_nowait()
        self._note_taken()
        return envelope

    def _note_taken(self) -> None:
        self._taken += 1
        self.is_stalled = False

    def _lose(self, envelope: Envelope) -> None:
        if self._lag is Lag.DROP_OLDEST:
            while not self._kept.add(envelope, len(envelope.payload)):
                self._kept.pop()
                self.dropped += 1
            return
        self.dropped += 1
        if self._lag is Lag.DISCONNECT:
            self.disconnected = True
            self.end()

    async def __anext__(self) -> Envelope:
        try:
            envelope = await self._kept.next()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None
        self._note_taken()
        return envelope

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _caller() -> str:
    """Return the file and line outside of this library that the call comes from."""
    frame = sys._getframe(1)  # noqa: SLF001  # a tenth of what `inspect` takes for it
    while frame.f_globals.get("__name__", "").startswith("airssys."):
        if frame.f_back is None:
            break
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
