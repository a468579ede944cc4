"""What becomes of a message that finds no room, decided by policy alone."""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Any, assert_never

import attrs

from airssys.contracts import DeliveryFailed, Envelope, Overflow, OverflowRules

from ._droppable_queue import DroppableQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentId

    from ._droppable_queue import Queue


class Fate(enum.Enum):
    """What happens to a message for which there is no room."""

    WAIT = "wait"
    """Its sender waits."""
    REFUSE = "refuse"
    """Its sender is told at once."""
    DROP = "drop"
    """It vanishes, counted."""
    PUSH_OUT = "push out"
    """An older one vanishes in its place."""
    BURY = "bury"
    """It is a dead letter."""
    QUEUE = "queue"
    """It is in the queue after all."""


def check_capacity(_mailbox: object, _field: object, value: Any) -> None:  # noqa: ANN401 (whatever was handed in)
    """Let a mailbox have this capacity.

    Raises:
        ValueError: it is no whole number above 0.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problem = f"capacity must be a whole number above 0, not {value!r:.80}"
        raise ValueError(problem)


def decide(policy: Overflow, *, may_wait: bool, is_ask: bool) -> Fate:
    """Say what becomes of a message.

    Args:
        policy: of its priority.
        may_wait: its sender can wait for room.
        is_ask: its sender waits for an answer, and must be told if none can come.
    """
    match policy:
        case Overflow.BLOCK:
            return Fate.WAIT if may_wait else Fate.REFUSE
        case Overflow.FAIL:
            return Fate.REFUSE
        case Overflow.DROP_NEWEST:
            return Fate.REFUSE if is_ask else Fate.DROP
        case Overflow.DROP_OLDEST:
            return Fate.PUSH_OUT
        case Overflow.DEAD_LETTER:
            return Fate.REFUSE if is_ask else Fate.BURY
        case _:
            assert_never(policy)


def queue_for(rules: OverflowRules) -> Queue:
    """Make the queue of a mailbox; only one that may drop its oldest pays for that."""
    test = droppable(rules)
    return deque() if test is None else DroppableQueue(test)


def droppable(rules: OverflowRules) -> Callable[[Envelope], bool] | None:
    """Return what says whether a queued message may be dropped; None: none ever may.

    A published message may not: the lag policy of its subscriber has let it in.
    """
    if Overflow.DROP_OLDEST not in attrs.astuple(rules, recurse=False):
        return None

    def may_drop(envelope: Envelope) -> bool:
        policy = rules.policy_of(envelope.priority)
        return policy is Overflow.DROP_OLDEST and envelope.topic is None

    return may_drop


def push_out(owner: ComponentId, queue: Queue) -> Envelope | None:
    """Remove and return the oldest message that may be dropped; None if none may.

    Whoever waits for an answer to the one that goes is told.
    """
    dropped = queue.drop_oldest() if isinstance(queue, DroppableQueue) else None
    if dropped is not None and dropped.reply is not None:
        problem = f"{owner} was full and dropped it for a newer message"
        dropped.reply.fail(DeliveryFailed(problem))
    return dropped
