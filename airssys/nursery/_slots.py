"""The places of a supervisor's children, and what outlives each child in its place."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Protocol, TypeAlias, final

import attrs

from airssys.contracts import ActorSpec, ChildSpec, ComponentSpec, child_name

from ._child import Child, Occupation


class SlotState(enum.Enum):
    """Where one child stands."""

    UNSTARTED = "unstarted"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    REFUSED = "refused, waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Seat(Protocol):
    """What outlives the incarnations of one child: for an actor, name and mailbox."""

    def occupy(self) -> Occupation:
        """Make a fresh occupation."""
        ...

    def vacate(self) -> None:
        """Give up name and mailbox: nobody will follow. Doing it again does nothing."""
        ...


SeatMaker: TypeAlias = Callable[[ActorSpec | ComponentSpec], Seat]


@final
@attrs.define(eq=False)
class Slot:
    """One place among the children of a supervisor; only its supervisor changes it."""

    spec: ChildSpec
    seat: Seat
    state: SlotState = SlotState.UNSTARTED
    child: Child | None = None
    """The present incarnation; None before the first and once an end was reported."""
    was_ready: bool = False
    """One incarnation was, at some time."""
    restarts: int = 0
    """Times it was ready again."""

    @property
    def name(self) -> str:
        """Its name among its siblings."""
        return child_name(self.spec)

    def note_ready(self) -> None:
        """Count a start that succeeded."""
        self.restarts += self.was_ready
        self.was_ready = True
        self.state = SlotState.RUNNING

    def retire(self) -> None:
        """Leave the place empty for good."""
        self.child = None
        self.state = SlotState.STOPPED
        self.seat.vacate()
