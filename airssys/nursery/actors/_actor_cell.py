"""The cell of one actor: makes its incarnations, each with a fresh behaviour."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import ActorSpec, ComponentSpec, InternalError, child_name
from airssys.nursery.behaviours import ComponentBehaviour, PythonBehaviour
from airssys.nursery.restarts import bounds_above, open_account

from ._actor_loop import Actor
from ._address import Address
from ._checkpoints import Checkpoints

if TYPE_CHECKING:
    from airssys.contracts import ChildSpec
    from airssys.messaging import Pool
    from airssys.nursery.children import CellMaker
    from airssys.nursery.restarts import Declared
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority
    from airssys.security.quotas import Account


@final
class ActorCell:
    """The cell of one actor."""

    __slots__ = (
        "_checkpoints",
        "_declared",
        "_shared",
        "address",
        "present",
    )

    def __init__(
        self, declared: Declared, shared: Shared, pool: Pool | None = None
    ) -> None:
        self._declared, self._shared = declared, shared
        self.present: Actor | None = None
        """The present incarnation, or the last one."""
        self.address = Address(_of_actor(declared.spec), shared, pool)
        self._checkpoints: Checkpoints | None = None
        """Those of a component that is declared to have some."""

    def incarnate(self) -> Actor:
        """Make a fresh incarnation, by what is declared now; the mailbox stays."""
        spec, shared = _of_actor(self._declared.start()), self._shared
        mailbox = self.address.mailbox
        authority, account = self._open(spec)
        self.address.authority = authority
        if isinstance(spec, ComponentSpec):
            checkpoints = self._checkpoints_of(spec)
            saved = None if checkpoints is None else checkpoints.next_start(spec)
            guest = ComponentBehaviour(spec, shared, mailbox, authority, saved, account)
            self.present = Actor(self.address, guest, spec, checkpoints)
        else:
            behaviour = PythonBehaviour(spec, shared, mailbox, authority, account)
            before = self.present
            self.present = Actor(self.address, behaviour, spec)
            if before is not None:  # what was asked before is asked again
                self.present.needs_scope = before.needs_scope
        return self.present

    def _open(
        self, spec: ActorSpec | ComponentSpec
    ) -> tuple[Authority | None, Account | None]:
        """Find what the actor may do and use: those of its name, if it has the name.

        The name may be another actor's. Then this one is about to be refused, before its
        code runs, and until then it may do nothing.
        """
        shared = self._shared
        if not self.address.claim():
            return shared.authorities.nothing(spec.id), None
        authority = shared.authorities.open(spec, bounds_above(self._declared))
        return authority, open_account(shared.accounts, spec, self._declared)

    def _checkpoints_of(self, spec: ComponentSpec) -> Checkpoints | None:
        if spec.checkpoint_every is None:
            self._checkpoints = None
        elif self._checkpoints is None:
            self._checkpoints = Checkpoints(self.address)
        return self._checkpoints

    def release(self, why: str = "", /) -> None:
        """Give up name and mailbox."""
        self.present = None
        had_the_name = self.address.has_the_name
        self.address.close(why)
        if had_the_name:
            self._shared.authorities.release(self.address.id)
            self._shared.accounts.release(self.address.id.text)


def cell_maker(shared: Shared) -> CellMaker:
    """Return what makes the cells of all actors of one system."""

    def make_cell(declared: Declared) -> ActorCell:
        return ActorCell(declared, shared)

    return make_cell


def _of_actor(spec: ChildSpec) -> ActorSpec | ComponentSpec:
    if isinstance(spec, (ActorSpec, ComponentSpec)):
        return spec
    raise InternalError(f"{child_name(spec)} is not an actor")
