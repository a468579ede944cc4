"""Reads which actors wait for which, and for what, at a cost only when it is called."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airssys.contracts import Waiting

from .mailboxes import Mailbox
from .requests import PendingAsk

if TYPE_CHECKING:
    from airssys.contracts import ComponentId

    from .routing import Broker


def who_waits(broker: Broker) -> tuple[Waiting, ...]:
    """Return all waits of this moment, sorted."""
    waits: Counter[tuple[ComponentId, ComponentId]] = Counter()
    for waiter, target, times in broker.waits.counts():
        waits[waiter, target] = times
    for pending in broker.pending:
        if isinstance(pending, PendingAsk) and not pending.is_in_graph:
            waits[pending.asker, pending.target] += 1
    for_room = Counter(_blocked(broker))
    return tuple(
        sorted(
            Waiting(*pair, times - (room := min(for_room[pair], times)), room)
            for pair, times in waits.items()
        )
    )


def _blocked(broker: Broker) -> list[tuple[ComponentId, ComponentId]]:
    registry = broker.registry
    return [
        (sender, name)
        for name in registry.ids()
        if isinstance(mailbox := registry.find(name), Mailbox)
        for sender in mailbox.blocked_senders
    ]
