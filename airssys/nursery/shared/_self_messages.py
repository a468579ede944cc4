"""Messages that an actor gets without a sender, and so without a task that waits.

They join the same queue as all others. When it is full they wait there for room like
any blocked sender, at the cost of no task.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import TargetNotFound

if TYPE_CHECKING:
    from airssys.contracts import Envelope
    from airssys.messaging import Mailbox


@final
class SelfMessages:
    """The way into an actor's mailbox for one incarnation of it."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        # A dictionary because an empty set takes three times as much.
        self._waiting: dict[SelfMessage, None] = {}
        self.is_closed = False

    def __len__(self) -> int:
        """Count what waits for room."""
        return len(self._waiting)

    def put(self, envelope: Envelope) -> SelfMessage:
        """Put a message into the queue, or let it wait for room."""
        self_message = SelfMessage(self._waiting)
        with suppress(TargetNotFound):  # the actor is gone for good
            if not self._mailbox.offer(envelope):
                self._waiting[self_message] = None
                self._mailbox.block(self_message, envelope)
        return self_message

    def close(self) -> None:
        """Drop what waits for room; what is queued stays, as every message does."""
        self.is_closed = True
        for self_message in tuple(self._waiting):
            self._mailbox.unblock(self_message)
        self._waiting.clear()


@final
@attrs.define(eq=False)
class SelfMessage:
    """One message on its way (implements `BlockedSender`)."""

    _waiting: dict[SelfMessage, None]

    @property
    def waits(self) -> bool:
        """Whether there was no room for it yet."""
        return self in self._waiting

    def admitted(self) -> None:
        """Note that it is in the queue."""
        self._waiting.pop(self, None)

    def refused(self, _: Exception) -> None:
        """Note that it never will be: the mailbox was closed."""
        self._waiting.pop(self, None)
