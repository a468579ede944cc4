"""The place of a supervisor; each incarnation starts with fresh children."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias, final

from airssys.contracts import (
    SUPERVISOR_SPECS,
    ChildSpec,
    ComponentId,
    DynamicSupervisorSpec,
    EventSink,
    InternalError,
    PoolSpec,
    SupervisorSpec,
    TaskSpec,
)

from ._dynamic_supervisor import DynamicSupervisor
from ._pool_supervisor import PoolSupervisor
from ._supervisor import Supervisor
from ._task_seat import TaskSeat

AnySupervisor: TypeAlias = Supervisor | DynamicSupervisor | PoolSupervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._pool_address import PoolAddress
    from ._slots import Seat, SeatMaker, Slot


@final
class SupervisorSeat:
    """The place of a supervisor, and of all that is below it.

    Args:
        spec: what to run there.
        path: its own name after those of all above it.
        make_seat: makes the seats of actors.
        events: told what happens.
        chance: where jitter comes from.
        open_pool: makes the addresses of pools; None: there are none.
    """

    def __init__(  # a supervisor's every need from outside
        self,
        spec: SupervisorSpec | DynamicSupervisorSpec | PoolSpec,
        path: str,
        make_seat: SeatMaker,
        events: EventSink,
        chance: random.Random | None = None,
        open_pool: Callable[[PoolSpec], PoolAddress] | None = None,
    ) -> None:
        self._spec, self._path, self._open_pool = spec, path, open_pool
        self._make_seat, self._events = make_seat, events
        self._chance = chance or random.Random()  # noqa: S311  # jitter is no secret
        self.present: AnySupervisor | None = None
        """The present incarnation, or the last one."""

    def occupy(self) -> AnySupervisor:
        """Make a supervisor with fresh children."""
        spec, path, events = self._spec, self._path, self._events
        if isinstance(spec, SupervisorSpec):
            self.present = Supervisor(
                spec, path, self._child_seat, events, self._chance
            )
        elif isinstance(spec, PoolSpec):
            if self._open_pool is None:
                raise InternalError("nobody makes the addresses of pools here")
            address = self._open_pool(spec)
            self.present = PoolSupervisor(spec, path, address, events, self._chance)
        else:
            self.present = DynamicSupervisor(
                spec, path, self._child_seat, events, self._chance
            )
        return self.present

    def vacate(self) -> None:
        """Do nothing: a supervisor that ended has vacated the seats of its children."""

    def change_spec(self, spec: ChildSpec) -> None:
        """Make the next incarnation by another specification."""
        if isinstance(spec, SUPERVISOR_SPECS):
            self._spec = spec

    def _child_seat(self, spec: ChildSpec) -> Seat:
        if isinstance(spec, SUPERVISOR_SPECS):
            path = f"{self._path}/{spec.name}"
            return SupervisorSeat(
                spec,
                path,
                self._make_seat,
                self._events,
                self._chance,
                self._open_pool,
            )
        return TaskSeat(spec) if isinstance(spec, TaskSpec) else self._make_seat(spec)


def find_supervisor(root: Slot, path: str) -> AnySupervisor | None:
    """Find the present or last incarnation of a supervisor by its path; None if none."""
    name, *below = str(path).split("/")
    slot = root if name == root.name else None
    while slot is not None and isinstance(slot.seat, SupervisorSeat):
        supervisor = slot.seat.present
        if not below or supervisor is None:
            return supervisor
        slot = supervisor.roster.find(below.pop(0))
    return None


def find_actor(root: Slot, id: ComponentId) -> Slot | None:  # noqa: A002 (the domain's word)
    """Find the place of an actor by its identity; None if it has none."""
    for supervisor in _supervisors(root):
        if (slot := supervisor.roster.find(str(id))) is not None:
            return slot
    return None


def find_pool(root: Slot, id: ComponentId) -> PoolSupervisor | None:  # noqa: A002 (the domain's word)
    """Find the present or last incarnation of a pool by its identity; None if none."""
    for supervisor in _supervisors(root):
        if isinstance(supervisor, PoolSupervisor) and supervisor.spec.id == id:
            return supervisor
    return None


def _supervisors(root: Slot) -> Iterator[AnySupervisor]:
    places = [root]
    while places:
        seat = places.pop().seat
        if isinstance(seat, SupervisorSeat) and seat.present is not None:
            yield seat.present
            places.extend(seat.present.roster)
