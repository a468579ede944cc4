"""The cell of one actor: makes its incarnations, each with a fresh behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import ActorSpec, ChildSpec, ComponentSpec
from airssys.nursery.behaviours import ComponentBehaviour, PythonBehaviour

from ._actor_loop import Actor
from ._address import Address

if TYPE_CHECKING:
    from airssys.messaging import Pool
    from airssys.nursery.children import CellMaker
    from airssys.nursery.shared import Shared


@final
class ActorCell:
    """The cell of one actor."""

    def __init__(
        self,
        spec: ActorSpec | ComponentSpec,
        shared: Shared,
        pool: Pool | None = None,
    ) -> None:
        self._spec, self._shared = spec, shared
        self.present: Actor | None = None
        """The present incarnation, or the last one."""
        self.address = Address(spec, shared, pool)

    def incarnate(self) -> Actor:
        """Make a fresh incarnation."""
        spec, shared = self._spec, self._shared
        if isinstance(spec, ComponentSpec):
            guest = ComponentBehaviour(spec, shared, self.address.mailbox)
            self.present = Actor(self.address, guest, spec)
        else:
            behaviour = PythonBehaviour(spec, shared, self.address.mailbox)
            self.present = Actor(self.address, behaviour, spec)
        return self.present

    def change_spec(self, spec: ChildSpec) -> None:
        """Make the next incarnation by another specification; the mailbox stays."""
        if isinstance(spec, (ActorSpec, ComponentSpec)):
            self._spec = spec

    def release(self, why: str = "", /) -> None:
        """Give up name and mailbox."""
        self.present = None
        self.address.close(why)


def cell_maker(shared: Shared) -> CellMaker:
    """Return what makes the cells of all actors of one system."""

    def make_seat(spec: ActorSpec | ComponentSpec) -> ActorCell:
        return ActorCell(spec, shared)

    return make_seat
