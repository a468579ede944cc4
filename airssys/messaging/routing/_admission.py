"""What every message passes before its mailbox: its time, the gates, the name, its form."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


@attrs.define(eq=False, repr=False)
class Admission:
    """Lets messages pass to the door behind their target's name, or refuses them."""

    registry: Registry
    _gates: tuple[Gate, ...] = attrs.field(kw_only=True, default=())

    def admit(self, envelope: Envelope) -> Recipient:
        """Return what a message may be delivered to.

        Raises:
            MessagingError: a gate refused it.
            MessageExpired: its time to live is over.
            TargetNotFound: nobody of that name is registered.
            Unavailable: an actor of that name is known, and does not run.
            MessageTooLarge, InvalidMessage: the target would not take it.
        """
        expires_at = envelope.expires_at
        if expires_at is not None and expires_at <= trio.current_time():
            raise MessageExpired(envelope.target)
        # A loop over nothing, and a call of `find`, would be paid for by every message.
        if self._gates:
            for gate in self._gates:
                gate(envelope)
        mailbox = self.registry.recipients.get(envelope.target.text)
        if mailbox is None:
            mailbox = self.registry.find_own(envelope.target, envelope.sender)
        if len(envelope.payload) > mailbox.unexamined_bytes:
            self._examine(envelope, mailbox)
        return mailbox

    def keeps_up(self, target: ComponentId) -> bool:
        """Say whether so few messages wait there that a sender need not give way to it."""
        mailbox = self.registry.recipients.get(target.text)
        return mailbox is not None and mailbox.keeps_up

    def _examine(self, envelope: Envelope, mailbox: Recipient) -> None:
        size, limit = len(envelope.payload), mailbox.message_bytes
        if size > limit:
            raise MessageTooLarge(envelope.target, size, limit)
        if mailbox.codecs is not None:
            examine_codec(envelope, mailbox.codecs, self.registry.codecs_of)

    def admit_again(
        self, recipient: Recipient, envelope: Envelope, _: Envelope
    ) -> None:
        """Let a message that had to wait for room pass once more, to the same door.

        Raises:
            MessagingError: as for `admit`.
        """
        if self.admit(envelope) is not recipient:
            raise TargetNotFound(envelope.target)
