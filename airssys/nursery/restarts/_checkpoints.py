"""When a checkpoint is due, and whether the next start continues from the last one. Pure.

A state may be the cause of a crash: then an actor that continued from it would crash
again, for ever. So no checkpoint is used twice. An incarnation that continued from one
and crashed before the next one was taken is followed by one that begins from scratch,
and that checkpoint is gone. An actor that ended because it was asked to has not crashed.
"""

from __future__ import annotations

import math
from typing import final

import attrs

from airssys.contracts import CheckpointEvery


@final
@attrs.frozen
class CheckpointUse:
    """What is known of an actor's last checkpoint."""

    exists: bool = False
    is_used: bool = False
    """An incarnation has continued from it, and has not ended well since."""

    @property
    def may_be_used(self) -> bool:
        """Whether the next incarnation may continue from it."""
        return self.exists and not self.is_used

    def after_taking(self) -> CheckpointUse:
        """Another one was taken."""
        return CheckpointUse(exists=True)

    def after_starting(self) -> CheckpointUse:
        """An incarnation begins: from it if that is possible, else it is given up."""
        return CheckpointUse(exists=True, is_used=True) if self.may_be_used else NONE

    def after_ending_well(self) -> CheckpointUse:
        """An incarnation ended because it was asked to."""
        return attrs.evolve(self, is_used=False)


NONE = CheckpointUse()
"""There is no checkpoint."""


@final
@attrs.frozen
class CheckpointClock:
    """When the last checkpoint was taken, or tried; or when its actor became ready."""

    every: CheckpointEvery
    at: float
    """Trio's time."""
    handled: int
    """How many messages had been handled then, ever."""

    def due_at(self, handled: int) -> float:
        """Return when the next one is due, if no more messages are handled.

        Args:
            handled: how many messages have been handled by now.
        """
        new, messages, seconds = (
            handled - self.handled,
            self.every.messages,
            self.every.seconds,
        )
        if new <= 0:
            return math.inf
        if messages is not None and new >= messages:
            return -math.inf
        return math.inf if seconds is None else self.at + seconds
