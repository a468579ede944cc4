"""What a message passes before its mailbox: its time, the gates, the name, its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs
import trio

from airssys.contracts import (
    Envelope,
    Gate,
    MessageExpired,
    MessageTooLarge,
    TargetNotFound,
)

from ._codecs import examine_codec
from ._registry import Registry

if TYPE_CHECKING:
    from airssys.contracts import ComponentId
    from airssys.messaging.pools import Recipient


@final
@attrs.define(eq=False, repr=False)
class Admission:
    """Finds the mailbox or pool that a message may be delivered to, or refuses it."""

    registry: Registry
    gates: tuple[Gate, ...] = ()
    """Called for each message, in order. A gate refuses a message by raising."""

    def admit(self, envelope: Envelope) -> Recipient:
        """Return the mailbox or pool that a message may be delivered to.

        Raises:
            MessagingError: a gate refused it.
            MessageExpired: its time to live is over.
            TargetNotFound: there is no actor or pool of that name.
            Unavailable: there was one, and it does not run any more.
            MessageTooLarge, InvalidMessage: the target does not accept it.
        """
        expires_at = envelope.expires_at
        if expires_at is not None and expires_at <= trio.current_time():
            raise MessageExpired(envelope.target)
        # A loop over nothing, and a call of `find`, would be paid for by every message.
        if self.gates:
            for gate in self.gates:
                gate(envelope)
        recipient = self.registry.recipients.get(envelope.target.text)
        if recipient is None:
            recipient = self.registry.find_own(envelope.target, envelope.sender)
        if len(envelope.payload) > recipient.unexamined_bytes:
            self._examine(envelope, recipient)
        return recipient

    def admit_again(
        self, recipient: Recipient, envelope: Envelope, _: Envelope
    ) -> None:
        """Check a message that had to wait for room once more.

        Raises:
            MessagingError: as for `admit`.
            TargetNotFound: the name leads to another mailbox now.
        """
        if self.admit(envelope) is not recipient:
            raise TargetNotFound(envelope.target)

    def keeps_up(self, target: ComponentId) -> bool:
        """Return whether few messages wait there, so that its senders need not pause."""
        recipient = self.registry.recipients.get(target.text)
        return recipient is not None and recipient.keeps_up

    def _examine(self, envelope: Envelope, recipient: Recipient) -> None:
        size, limit = len(envelope.payload), recipient.message_bytes
        if size > limit:
            raise MessageTooLarge(envelope.target, size, limit)
        if recipient.codecs is not None:
            examine_codec(envelope, recipient.codecs, self.registry.codecs_of)
