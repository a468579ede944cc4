"""The cell of a supervisor; each incarnation starts with fresh children."""

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
from airssys.nursery.children import GivenNames, SupervisorPlace, TaskCell
from airssys.nursery.restarts import given_below, says_the_same, with_child, with_inside
from airssys.nursery.supervisors import Supervisor

from ._pool_supervisor import PoolSupervisor

AnySupervisor: TypeAlias = Supervisor | PoolSupervisor
AnySupervisorSpec: TypeAlias = SupervisorSpec | DynamicSupervisorSpec | PoolSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.nursery.children import Cell, CellMaker, Slot
    from airssys.nursery.restarts import ChangeableSpec

    from ._pool_address import PoolAddress


@final
class SupervisorCell:
    """The cell of a supervisor, and of all that is below it.

    Args:
        spec: what to run there.
        path: its own name after those of all above it.
        make_seat: makes the cells of actors.
        events: is given every event.
        rng: where jitter comes from.
        open_pool: makes the addresses of pools; None: there are none.
    """

    def __init__(  # a supervisor's every need from outside
        self,
        spec: AnySupervisorSpec,
        path: str,
        make_seat: CellMaker,
        events: EventSink,
        rng: random.Random | None = None,
        open_pool: Callable[[PoolSpec], PoolAddress] | None = None,
    ) -> None:
        self._spec, self._path, self._open_pool = spec, path, open_pool
        self._make_seat, self._events = make_seat, events
        self._chance = rng or random.Random()  # noqa: S311  # jitter needs no secret
        self.names = GivenNames()
        """Given to children made from templates; of the whole tree."""
        self._above: SupervisorCell | None = None
        self._given: ChildSpec = spec
        """What was last given as its specification; it may have been changed since."""
        self.present: AnySupervisor | None = None
        """The present incarnation, or the last one."""
        self._pool: PoolAddress | None = None
        """Of a pool: its name and what waits for it."""

    def stand_below(self, above: SupervisorCell, given: ChildSpec | None) -> None:
        """Be the place of a child of another supervisor.

        Args:
            above: the place of that one; without one it is the root.
            given: what was given last as its own specification; None: the present one.
        """
        self._above, self.names = above, above.names
        self._given = given or self._given

    def incarnate(self) -> AnySupervisor:
        """Make a supervisor with fresh children."""
        spec = self._spec
        place = SupervisorPlace(
            self._path,
            self._child_seat,
            self._events,
            self._chance,
            names=self.names,
            given=self._given,
            record=self._record,
        )
        if isinstance(spec, PoolSpec):
            self.present = PoolSupervisor(spec, place, self._address_of(spec))
        else:
            self.present = Supervisor(spec, place)
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

    def change_spec(self, spec: ChildSpec) -> None:
        """Make the next incarnation by another specification."""
        if isinstance(spec, SUPERVISOR_SPECS):
            if not says_the_same(spec, self._spec):
                self._given = spec
            self._spec = spec
            if isinstance(self.present, Supervisor):
                self.present.take_place(spec)

    def _record(self, spec: ChangeableSpec, given: ChangeableSpec) -> None:
        """Put down what its supervisor goes by now, in all places from here to the root.

        So whatever is restarted later goes by it.
        """
        self._given = given
        cell, before = self, self._spec
        changed = cell._spec = _with_inside(before, spec)
        while cell._above is not None and before is not changed:
            cell = cell._above
            before, changed = cell.note_below(before, changed)

    def note_below(
        self, before: AnySupervisorSpec, changed: AnySupervisorSpec
    ) -> tuple[AnySupervisorSpec, AnySupervisorSpec]:
        """Put down a change of a child; return its own specification before and after."""
        if isinstance(self.present, Supervisor):
            self.present.note_below(before, changed)
        own = self._spec
        if isinstance(own, SupervisorSpec):
            self._spec = with_child(own, before, changed)
        return own, self._spec

    def _child_seat(self, spec: ChildSpec) -> Cell:
        if isinstance(spec, SUPERVISOR_SPECS):
            path = f"{self._path}/{spec.name}"
            cell = SupervisorCell(
                spec,
                path,
                self._make_seat,
                self._events,
                self._chance,
                self._open_pool,
            )
            cell.stand_below(self, given_below(self._given, spec))
            return cell
        return TaskCell(spec) if isinstance(spec, TaskSpec) else self._make_seat(spec)


def _with_inside(
    place: AnySupervisorSpec, content: ChangeableSpec
) -> AnySupervisorSpec:
    changed = with_inside(place, content)
    return changed if isinstance(changed, SUPERVISOR_SPECS) else place


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
