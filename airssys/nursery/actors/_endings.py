"""How the message that an actor handles ends, other than by an answer.

The caller that waits for its answer is notified, observers get an event, and the mailbox counts it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from airssys.contracts import (
    CalleeFailed,
    CapacityReached,
    DeadReason,
    DeliveryFailed,
    Directive,
    Envelope,
    GuestRejected,
    MessageFailed,
    NoAnswer,
    NotUnderstood,
    Poison,
    Unwanted,
    is_a,
    kind_name,
)
from airssys.messaging import Ending
from airssys.nursery.restarts import describe, directive_for

from ._poison import settle

if TYPE_CHECKING:
    from airssys.contracts import OnError

    from ._address import Address


def settle_message(address: Address, poison: Poison, error: Exception) -> None:
    """Let the message that an actor crashed over end, or come again."""
    ending = settle(address, poison, error)
    if ending is not None:
        give_up_message(address, ending[0], error, ending[1])


def give_up_if_late(address: Address, envelope: Envelope) -> bool:
    """Make a dead letter of the present message if its answer has no use any more."""
    deadline, expires_at = envelope.deadline, envelope.expires_at
    reply = envelope.reply
    now = trio.current_time()
    # As `Envelope.is_unwanted`, a call of which each ask would pay for.
    if (deadline is not None and deadline <= now) or (
        expires_at is not None and expires_at <= now
    ):
        why, reason = "its deadline had passed", DeadReason.EXPIRED
    elif reply is not None and reply.is_abandoned:
        why, reason = "its asker had stopped waiting", DeadReason.CANCELLED
    else:
        return False
    give_up_message(address, why, reason=reason)
    return True


def lives_on(address: Address, on_error: OnError, error: Exception) -> bool:
    """End the present message for this error, unless its actor is to crash by it."""
    if is_a(error, Unwanted):
        envelope = address.mailbox.in_hand
        return envelope is None or give_up_if_late(address, envelope)
    is_refusal = is_a(error, (GuestRejected, CapacityReached, NotUnderstood))
    if not is_refusal and directive_for(on_error, error) is not Directive.RESUME:
        return False
    refuse_message(address, error)
    return True


def refuse_message(address: Address, error: Exception) -> None:
    """Let it end with an error that does not end its actor."""
    why = describe(error)  # before it is released: this may end the program
    envelope = address.mailbox.release(Ending.FAILED)
    if envelope is None:
        return
    envelope = _for_observers(envelope)
    address.shared.events(
        MessageFailed(envelope.target, envelope.sender, error, envelope.trace)
    )
    if envelope.reply is not None:
        failure = CalleeFailed(envelope.target, why, NoAnswer.REFUSED, error)
        envelope.reply.fail(failure)


def pass_over(address: Address) -> None:
    """Make a dead letter of the present message, which would be answered too late.

    Its asker is left to its own timeout, which is near.
    """
    envelope = address.mailbox.release(Ending.GIVEN_UP)
    if envelope is not None:
        why = "it would have been answered too late"
        observed = envelope._replace(reply=None)
        address.shared.broker.dead_letter(observed, why, reason=DeadReason.EXPIRED)


def cut_message_off(address: Address) -> None:
    """Refuse a message that was cut off: at its deadline, or by its asker leaving."""
    refuse_message(address, DeliveryFailed(_why_cut_off(address.mailbox.in_hand)))


def give_up_in_hand(address: Address, error: BaseException) -> None:
    """Make a dead letter of the present message when its actor has ended by an error.

    Raises:
        BaseException: what the error raised when it was put into words, if it is not an
            Exception. The message has ended nevertheless.
    """
    if address.mailbox.in_hand is None:
        return
    described = kind_name(error)
    try:
        described = describe(error)
    finally:
        give_up_message(address, f"its actor ended: {described}", error)


def give_up_message(
    address: Address,
    why: str,
    error: BaseException | None = None,
    reason: DeadReason | None = None,
) -> None:
    """Make a dead letter of it, if there is one."""
    envelope = address.mailbox.release(Ending.GIVEN_UP)
    if envelope is not None:
        broker = address.shared.broker
        broker.dead_letter(_for_observers(envelope), why, error, reason)


def _why_cut_off(envelope: Envelope | None) -> str:
    deadline = math.inf if envelope is None else envelope.deadline
    if deadline is None or deadline > trio.current_time():
        return "cut off while it was handled, when its asker stopped waiting"
    return "cut off at its deadline, while it was handled"


def _for_observers(envelope: Envelope) -> Envelope:
    """Leave an asker whose time is up to its own timeout, which says so better."""
    deadline = envelope.deadline
    if deadline is not None and deadline <= trio.current_time():
        return envelope._replace(reply=None)
    return envelope


def put_message_back(address: Address, owed: dict[int, Envelope] | None) -> None:
    """Put the present message back, to be taken next; it stays one of those that are owed."""
    envelope = address.mailbox.put_back()
    if envelope is not None and owed is not None:
        owed[id(envelope)] = envelope


def was_cut_off(scope: trio.CancelScope) -> bool:
    """Say so of the present message, and take its deadline away."""
    if scope.deadline != math.inf:  # most messages are handled without being given one
        scope.deadline = math.inf
    return scope.cancel_called
