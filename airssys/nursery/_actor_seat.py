"""The place of one actor: makes its incarnations, each with a fresh behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import ActorSpec, ChildSpec, ComponentSpec

from ._actor_loop import Actor
from ._address import Address
from ._component_actor import ComponentBehaviour
from ._python_actor import PythonBehaviour

if TYPE_CHECKING:
    from airssys.messaging import Pool

    from ._slots import SeatMaker
    from ._surroundings import Surroundings


@final
class ActorSeat:
    """The place of one actor."""

    def __init__(
        self,
        spec: ActorSpec | ComponentSpec,
        surroundings: Surroundings,
        pool: Pool | None = None,
    ) -> None:
        self._spec, self._surroundings = spec, surroundings
        self.present: Actor | None = None
        """The present incarnation, or the last one."""
        self.address = Address(spec, surroundings, pool)

    def occupy(self) -> Actor:
        """Make a fresh incarnation."""
        spec, around = self._spec, self._surroundings
        if isinstance(spec, ComponentSpec):
            guest = ComponentBehaviour(spec, around, self.address.mailbox)
            self.present = Actor(self.address, guest, spec)
        else:
            behaviour = PythonBehaviour(spec, around, self.address.mailbox)
            self.present = Actor(self.address, behaviour, spec)
        return self.present

    def change_spec(self, spec: ChildSpec) -> None:
        """Make the next incarnation by another specification; the mailbox stays."""
        if isinstance(spec, (ActorSpec, ComponentSpec)):
            self._spec = spec

    def vacate(self, why: str = "", /) -> None:
        """Give up name and mailbox."""
        self.present = None
        self.address.close(why)


def seat_maker(surroundings: Surroundings) -> SeatMaker:
    """Return what makes the seats of all actors of one system."""

    def make_seat(spec: ActorSpec | ComponentSpec) -> ActorSeat:
        return ActorSeat(spec, surroundings)

    return make_seat
