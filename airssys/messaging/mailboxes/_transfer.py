"""Takes messages out of one mailbox and puts them into another, as one step.

The other half of `Mailbox`, for messages that a pool has spread: it may find that
another member is to handle them. What is moved needs no room, and is not asked whether
it may pass: it had passed already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ._statistics import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Envelope

    from ._blocked_senders import BlockedSender, Recheck
    from ._mailbox import Mailbox

Blocked: TypeAlias = "tuple[BlockedSender, Envelope, Recheck | None]"


def take_out(
    mailbox: Mailbox, wanted: Callable[[Envelope], bool]
) -> tuple[list[Envelope], list[Blocked]]:
    """Take out what waits in the queue and what waits for room, each in its order.

    What is in hand or was set aside stays. Room that becomes free stays free until
    `let_in`. `wanted` may call the program's own code, and that may send; so all are
    asked about before anything is changed.
    """
    queue = mailbox._queue
    chosen = {id(each): each for each in tuple(queue) if wanted(each)}
    waiting = [
        (sender, envelope, recheck)
        for sender, (envelope, recheck) in tuple(mailbox._blocked.items())
        if wanted(envelope)
    ]
    taken = [each for each in queue if id(each) in chosen]
    if taken:
        kept = [each for each in queue if id(each) not in chosen]
        queue.clear()
        queue.extend(kept)
        mailbox._queued_bytes = sum(map(mailbox._weight, kept))
    blocked = [each for each in waiting if mailbox._blocked.pop(each[0], None)]
    mailbox._tally.count(Ending.MOVED, len(taken) + len(blocked))
    return taken, blocked


def take_first_blocked(
    mailbox: Mailbox, wanted: Callable[[Envelope], bool]
) -> Blocked | None:
    """Take out whoever has waited for room longest; None if nobody wanted waits."""
    for sender, (envelope, recheck) in mailbox._blocked.items():
        if wanted(envelope):
            del mailbox._blocked[sender]
            mailbox._tally.count(Ending.MOVED)
            return sender, envelope, recheck
    return None


def put_in(mailbox: Mailbox, envelope: Envelope) -> None:
    """Put a message at the end of the queue, full or not; of an open mailbox only."""
    mailbox._enqueue(envelope)


def put_first(mailbox: Mailbox, envelopes: list[Envelope]) -> None:
    """Put messages at the head of the queue, in their order, full or not."""
    mailbox._queue.extendleft(reversed(envelopes))
    mailbox._high_water = max(mailbox._high_water, len(mailbox._queue))


def let_in(mailbox: Mailbox) -> None:
    """Let those in who wait for room, if there is some now."""
    mailbox._admit_blocked()
