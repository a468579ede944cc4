"""What becomes of a message that finds no room, decided by policy alone."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, assert_never

from airssys.contracts import DeliveryFailed, Envelope, Overflow, OverflowRules

if TYPE_CHECKING:
    from collections import deque

    from airssys.contracts import ComponentId


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


def check_capacity(_: object, __: object, value: int) -> None:
    """Make sure that a capacity is one.

    Raises:
        ValueError: it is no whole number above 0.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        problem = f"capacity must be a whole number above 0, not {value!r:.80}"
        raise ValueError(problem)


def push_out(
    owner: ComponentId, queue: deque[Envelope], rules: OverflowRules
) -> Envelope | None:
    """Remove and return the oldest message that may be dropped; None if none may.

    A published message never is: the lag policy of its subscriber has let it in. Who
    waits for an answer to the one that goes is told.
    """
    for index, envelope in enumerate(queue):
        policy = rules.policy_of(envelope.priority)
        if policy is Overflow.DROP_OLDEST and envelope.topic is None:
            del queue[index]
            if envelope.reply is not None:
                problem = f"{owner} was full and dropped it for a newer message"
                envelope.reply.fail(DeliveryFailed(problem))
            return envelope
    return None
