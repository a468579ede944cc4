"""The cell of a supervisor; each incarnation starts with fresh children."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, TypeAlias, final

from airssys.contracts import (
    SUPERVISOR_SPECS,
    ComponentId,
    DynamicSupervisorSpec,
    EventSink,
    InternalError,
    PoolSpec,
    SupervisorSpec,
    TaskSpec,
)
from airssys.nursery.children import GivenNames, SupervisorSetup, TaskCell
from airssys.nursery.supervisors import Supervisor

from ._pool_supervisor import PoolSupervisor

AnySupervisor: TypeAlias = Supervisor | PoolSupervisor
AnySupervisorSpec: TypeAlias = SupervisorSpec | DynamicSupervisorSpec | PoolSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.nursery.children import Cell, CellMaker, Slot
    from airssys.nursery.restarts import Declared

    from ._pool_address import PoolAddress


@final
class SupervisorCell:
    """The cell of a supervisor, and of all that is below it.

    Args:
        declared: what to run there.
        path: its own name after those of all above it.
        make_cell: makes the cells of actors.
        events: is given every event.
        rng: where jitter comes from.
        open_pool: makes the addresses of pools; None: there are none.
    """

    def __init__(  # a supervisor's every need from outside
        self,
        declared: Declared,
        path: str,
        make_cell: CellMaker,
        events: EventSink,
        rng: random.Random | None = None,
        open_pool: Callable[[PoolSpec], PoolAddress] | None = None,
    ) -> None:
        self._declared, self._path, self._open_pool = declared, path, open_pool
        self._make_cell, self._events = make_cell, events
        self._rng = rng or random.Random()  # noqa: S311  # jitter needs no secret
        self.names = GivenNames()
        """Given to children made from templates; of the whole tree."""
        self.present: AnySupervisor | None = None
        """The present incarnation, or the last one."""
        self._pool: PoolAddress | None = None
        """Of a pool: its name and what waits for it."""

    def incarnate(self) -> AnySupervisor:
        """Make a supervisor with fresh children."""
        spec = self._declared.start()
        setup = SupervisorSetup(
            self._path,
            self._declared,
            self._make_child_cell,
            self._events,
            self._rng,
            self.names,
        )
        if isinstance(spec, PoolSpec):
            self.present = PoolSupervisor(spec, setup, self._address_of(spec))
        else:
            self.present = Supervisor(setup)
        return self.present

    def release(self, why: str = "", /) -> None:
        """Give up the name of a pool.

        A supervisor that ended has released the cells of its children itself.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(why)

    def _address_of(self, spec: PoolSpec) -> PoolAddress:
        """Return the address of the pool; what waits there is lost if it is another one."""
        if self._open_pool is None:
            raise InternalError("a pool cannot run here: `open_pool` was not given")
        if self._pool is not None and self._pool.spec is not spec:
            self._pool.close("it was declared anew")
            self._pool = None
        if self._pool is None:
            self._pool = self._open_pool(spec)
        return self._pool

    def _make_child_cell(self, declared: Declared) -> Cell:
        spec = declared.spec
        if isinstance(spec, SUPERVISOR_SPECS):
            path = f"{self._path}/{spec.name}"
            cell = SupervisorCell(
                declared,
                path,
                self._make_cell,
                self._events,
                self._rng,
                self._open_pool,
            )
            cell.names = self.names
            return cell
        if isinstance(spec, TaskSpec):
            return TaskCell(declared)
        return self._make_cell(declared)


def find_supervisor(root: Slot, path: str) -> AnySupervisor | None:
    """Find the present or last incarnation of a supervisor by its path; None if none."""
    name, *below = str(path).split("/")
    slot = root if name == root.name else None
    while slot is not None and isinstance(slot.cell, SupervisorCell):
        supervisor = slot.cell.present
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
        cell = places.pop().cell
        if isinstance(cell, SupervisorCell) and cell.present is not None:
            yield cell.present
            places.extend(cell.present.roster)
