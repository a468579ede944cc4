"""What happens to a message that finds no room, decided by policy alone."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, assert_never

from airssys.contracts import DeliveryFailed, Envelope, Overflow, OverflowRules

from ._droppable_queue import NOTHING_QUEUED, DroppableQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentId

    from ._droppable_queue import Queue


class OverflowAction(enum.Enum):
    """What happens to a message for which there is no room."""

    WAIT = "wait"
    """Its sender waits."""
    REFUSE = "refuse"
    """Its sender gets an error at once."""
    DROP = "drop"
    """It is dropped, and counted."""
    DROP_OLDEST = "drop oldest"
    """An older message is dropped instead."""
    DEAD_LETTER = "dead letter"
    """It becomes a dead letter."""
    QUEUE = "queue"
    """There is room now, and it was queued."""


def check_capacity(_mailbox: object, _field: object, value: Any) -> None:  # noqa: ANN401 (whatever was handed in)
    """Check the capacity of a mailbox.

    Raises:
        ValueError: it is not a whole number above 0.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problem = f"capacity must be a whole number above 0, not {value!r:.80}"
        raise ValueError(problem)


def decide(policy: Overflow, *, may_wait: bool, is_ask: bool) -> OverflowAction:
    """Decide what happens to a message.

    Args:
        policy: of its priority.
        may_wait: its sender can wait for room.
        is_ask: its sender waits for an answer, so it must get an error if none can come.
    """
    match policy:
        case Overflow.BLOCK:
            return OverflowAction.WAIT if may_wait else OverflowAction.REFUSE
        case Overflow.FAIL:
            return OverflowAction.REFUSE
        case Overflow.DROP_NEWEST:
            return OverflowAction.REFUSE if is_ask else OverflowAction.DROP
        case Overflow.DROP_OLDEST:
            return OverflowAction.DROP_OLDEST
        case Overflow.DEAD_LETTER:
            return OverflowAction.REFUSE if is_ask else OverflowAction.DEAD_LETTER
        case _:
            assert_never(policy)


def queue_for(rules: OverflowRules) -> Queue:
    """Return the first queue of a mailbox: plain unless the oldest message may be dropped."""
    test = droppable(rules)
    return NOTHING_QUEUED if test is None else DroppableQueue(test)


def droppable(rules: OverflowRules) -> Callable[[Envelope], bool] | None:
    """Return a function that says whether a queued message may be dropped.

    None if no message ever may. A published message may not be dropped, because the lag
    policy of its subscriber has let it in.
    """
    policies = (rules.unmarked, rules.low, rules.normal, rules.high, rules.critical)
    if Overflow.DROP_OLDEST not in policies:
        return None

    def may_drop(envelope: Envelope) -> bool:
        policy = rules.policy_of(envelope.priority)
        return policy is Overflow.DROP_OLDEST and envelope.topic is None

    return may_drop


def push_out(owner: ComponentId, queue: Queue) -> Envelope | None:
    """Remove and return the oldest message that may be dropped; None if none may.

    If that message was an ask, its sender gets a `DeliveryFailed`.
    """
    dropped = queue.drop_oldest() if isinstance(queue, DroppableQueue) else None
    if dropped is not None and dropped.reply is not None:
        problem = f"{owner} was full and dropped it for a newer message"
        dropped.reply.fail(DeliveryFailed(problem))
    return dropped
