"""What becomes of a message that finds no room, decided by policy alone."""

from __future__ import annotations

import enum
from typing import assert_never

from airssys.contracts import Overflow


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
