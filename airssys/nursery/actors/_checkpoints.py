"""Takes checkpoints of one component actor, between two messages, and keeps the last one.

They outlive incarnations: the cell of the actor has them. Each is taken by the actor's
own task, so messages wait meanwhile; the guest's memory is read in pieces, between which
other actors run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, final

import trio

from airssys.contracts import (
    CapacityReached,
    CheckpointEvery,
    GuestFailed,
    SnapshotFailed,
    SnapshotRefused,
)
from airssys.nursery.restarts import CheckpointClock, CheckpointUse

if TYPE_CHECKING:
    from airssys.contracts import ActorSpec, ComponentSpec
    from airssys.nursery.behaviours import ComponentBehaviour, SavedState

    from ._address import Address


@final
class Checkpoints:
    """The checkpoints of one actor."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._use = CheckpointUse()
        self._saved: SavedState | None = None
        self._of: object = None
        """What the last one is of: code and configuration."""
        self._clock = CheckpointClock(CheckpointEvery(), 0.0, 0)
        self._refusal: str | None = None
        """Why the last one was not taken; the same reason is reported once."""
        self.is_taking = False

    def next_start(self, spec: ComponentSpec) -> SavedState | None:
        """Return what the next incarnation continues from; None: it begins from scratch."""
        if self._of != (spec.artifact, spec.config):
            self.forget()
        is_used = self._use.may_be_used
        self._use = self._use.after_starting()
        return self._saved if is_used else None

    def note_ready(self, spec: ActorSpec | ComponentSpec) -> None:
        """Count from now on: an incarnation is ready."""
        every: CheckpointEvery | None = getattr(spec, "checkpoint_every", None)
        if every is not None:
            self._restart_clock(every)
        self._refusal = None

    def note_ended_well(self) -> None:
        """Note that an incarnation ended because it was asked to."""
        self._use = self._use.after_ending_well()

    def forget(self) -> None:
        """Give up the last one: it is of other code."""
        self._saved, self._use, self._of = None, CheckpointUse(), None
        self._restart_clock(self._clock.every)

    @property
    def due_at(self) -> float:
        """When the next one is due, on Trio's clock."""
        return self._clock.due_at(self._address.mailbox.handled)

    @property
    def is_due(self) -> bool:
        """Whether one is due now."""
        due_at = self.due_at
        return due_at < math.inf and due_at <= trio.current_time()

    def is_changed_by_one(self) -> bool:
        """Whether `due_at` is another one when one more message has been handled.

        A task that waits until then must be woken.
        """
        handled = self._address.mailbox.handled
        clock = self._clock
        return clock.due_at(handled + 1) < clock.due_at(handled)

    async def take(self, behaviour: ComponentBehaviour) -> None:
        """Take one, and report why that was not possible."""
        self.is_taking = True
        try:
            self._saved = await behaviour.save()
            self._of = behaviour.made_of
        except (SnapshotRefused, GuestFailed, CapacityReached) as error:
            self._report(error)
        else:
            self._use, self._refusal = self._use.after_taking(), None
        finally:
            self.is_taking = False
            self._restart_clock(self._clock.every)

    def _restart_clock(self, every: CheckpointEvery) -> None:
        handled = self._address.mailbox.handled
        self._clock = CheckpointClock(every, trio.current_time(), handled)

    def _report(self, error: Exception) -> None:
        text = str(error)
        if text != self._refusal:
            self._refusal = text
            event = SnapshotFailed(self._address.id, "checkpoint", error)
            self._address.shared.events(event)
