"""What happens to the message that an actor crashed over.

A message that crashes an actor may well crash the next incarnation too. So it comes again
at most once, and only if that was declared; a mark on the message itself says that it
did. What never comes again is a callback: the requests of an incarnation end with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.contracts import Callback, DeadReason, Envelope, ExitKind, Poison
from airssys.nursery.restarts import describe, exit_kind

from ._retried import Retried

if TYPE_CHECKING:
    from airssys.messaging import Mailbox

    from ._address import Address


def choose(poison: Poison, envelope: Envelope, error: Exception) -> Poison:
    """Decide what happens to the present message when this ended its actor. Pure."""
    if poison is Poison.DROP:
        return poison
    is_crash = exit_kind(error, ready=True) is ExitKind.CRASH
    if not is_crash or isinstance(envelope, Callback):
        return Poison.DROP
    if poison is Poison.RETRY and isinstance(envelope, Retried):
        return Poison.DROP
    return poison


def settle(
    address: Address, poison: Poison, error: Exception
) -> tuple[str, DeadReason] | None:
    """Put the present message back, or keep it apart, if it is to be.

    Returns:
        Why it is to be given up, for people and as one word; None if it comes again,
        or there is none.
    """
    envelope = address.mailbox.in_hand
    if envelope is None:
        return None
    text = describe(error)
    why = f"its actor ended: {text}"
    match choose(poison, envelope, error):
        case Poison.RETRY:
            put_back(address.mailbox)
            return None
        case Poison.QUARANTINE:
            address.shared.quarantine.add(envelope, text)
            return f"{why}; it is in quarantine", DeadReason.QUARANTINED
        case _:
            return why, DeadReason.CRASHED


def put_back(mailbox: Mailbox) -> None:
    """Let the present message come again, before all others."""
    if mailbox.in_hand is not None:
        mailbox.in_hand = Retried(*mailbox.in_hand)
        # What was set aside goes first, so that there is room for this one.
        mailbox.unstash_all()
        mailbox.stash()
        mailbox.unstash_all()
