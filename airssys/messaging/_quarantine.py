"""Messages that crashed their actors, kept for inspection.

Bounded in number and in bytes: when there are more, the oldest are discarded. They are
dead letters, so nothing depends on them. Releasing one sends it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import MIB, ComponentId, InvalidMessage

if TYPE_CHECKING:
    from airssys.contracts import Envelope

    from .routing import Broker

QUARANTINE_KEPT: Final = 1000
"""Messages that are kept."""
QUARANTINE_BYTES: Final = 64 * MIB
"""Bytes of payload that are kept in total."""

_MOST_WHY: Final = 1000
"""Characters of why it is kept."""


@final
@attrs.frozen(eq=False)
class QuarantinedMessage:
    """A message that crashed its actor."""

    target: ComponentId
    sender: ComponentId
    payload: bytes = attrs.field(repr=False)
    content_type: str | None
    sent_at_ns: int
    """Wall clock when the host signed it, nanoseconds since 1970."""
    why: str
    """The error that its actor crashed with, in one line."""


@final
class Quarantine:
    """The messages of one system that are kept, the oldest first."""

    def __init__(
        self,
        broker: Broker,
        kept: int = QUARANTINE_KEPT,
        kept_bytes: int = QUARANTINE_BYTES,
    ) -> None:
        self._broker = broker
        self._kept, self._kept_bytes = kept, kept_bytes
        self._messages: dict[QuarantinedMessage, None] = {}
        self._bytes = 0
        self.total = 0
        """Messages that ever came here."""

    def add(self, envelope: Envelope, why: str) -> None:
        """Keep a message; one that alone is too large is only counted."""
        self.total += 1
        message = QuarantinedMessage(
            envelope.target,
            envelope.sender,
            envelope.payload,
            envelope.content_type,
            envelope.sent_at_ns,
            why[:_MOST_WHY],
        )
        self._messages[message] = None
        self._bytes += len(message.payload)
        while len(self._messages) > self._kept or self._bytes > self._kept_bytes:
            self.discard(next(iter(self._messages)))

    def messages(
        self, target: ComponentId | None = None
    ) -> tuple[QuarantinedMessage, ...]:
        """Return what is kept, or of that only what was for one actor."""
        return tuple(m for m in self._messages if target in {None, m.target})

    def discard(self, message: QuarantinedMessage) -> bool:
        """Keep a message no longer; False if it was not kept any more."""
        if message not in self._messages:
            return False
        del self._messages[message]
        self._bytes -= len(message.payload)
        return True

    def release(self, message: QuarantinedMessage) -> None:
        """Deliver a message again, as a new one in the name of its sender; never waits.

        Its sender does not wait for an answer any more. If it is delivered, it is kept no
        longer.

        Raises:
            InvalidMessage: it is not kept any more.
            MailboxFull, TargetNotFound: it was not delivered.
        """
        if message not in self._messages:
            problem = "this message is not in quarantine any more"
            raise InvalidMessage(problem, "Read `messages` again")
        envelope = self._broker.sign(
            message.target,
            message.sender,
            message.payload,
            content_type=message.content_type,
        )
        self._broker.tell(envelope)
        self.discard(message)
