"""The name of a pool and what waits for it: what of a pool outlives its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import (
    ComponentInfo,
    HealthStatus,
    NameTaken,
    PoolSpec,
    rules_of,
)
from airssys.messaging import ActorSubscriber, Pool
from airssys.nursery.actors import ActorCell, close_to_dead_letters, codecs_wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.nursery.children import Cell
    from airssys.nursery.restarts import Declared
    from airssys.nursery.shared import Shared


@final
class PoolAddress:
    """A pool's name, its topics, and the cells of its members.

    Reachable from the pool's first being ready until it is closed for good; while the pool
    is being started again, messages wait as they do in an actor's mailbox.
    """

    def __init__(self, spec: PoolSpec, shared: Shared) -> None:
        self.spec, self._shared = spec, shared
        member = spec.member
        self.pool = Pool(
            spec.id,
            spec.routing,
            spec.key,
            capacity=member.mailbox,
            rules=rules_of(member.overflow),
            message_bytes=member.message_bytes,
            codecs=codecs_wanted(member),
            most_bytes=member.mailbox_bytes,
        )
        self.pool.end_by = shared.end_by
        self._subscriber = ActorSubscriber(spec.id, shared.publishing)
        self._is_registered = False

    def make_cell(self, declared: Declared) -> Cell:
        """Make the cell of a member."""
        return ActorCell(declared, self._shared, self.pool)

    def open(self) -> None:
        """Make the pool reachable, and let its members have what waits.

        Raises:
            NameTaken: another actor has the name.
        """
        spec, shared = self.spec, self._shared
        self.pool.resume()
        if self._is_registered:
            return
        if spec.id in shared.registry:
            raise NameTaken(spec.id)
        shared.registry.register(self.pool)
        self._is_registered = True
        unknown = HealthStatus.UNKNOWN.value
        shared.infos[spec.id] = ComponentInfo(spec.id, spec.id.name, "", unknown)
        for pattern in spec.topics:
            self._subscriber.subscribe(pattern, spec.lag)

    def suspend(self) -> None:
        """Let what comes wait: the members end, and others may follow."""
        self.pool.suspend(keeps=self.spec.member.drain)
        if self._is_registered:
            self._shared.watches.note_gone(self.spec.id)

    def close(self, why: str) -> None:
        """Give up the name for good; what waits are dead letters.

        Args:
            why: the answer to requests for the name from now on; empty: no reason.
        """
        id, shared = self.spec.id, self._shared  # noqa: A001  # as in the contracts
        self.pool.is_open = False
        self._subscriber.close()
        if self._is_registered:
            self._is_registered = False
            shared.registry.unregister(id)
            shared.infos.pop(id, None)
            if why:
                shared.registry.note_gone(id, why, shared.wall_clock())
        close_to_dead_letters(self.pool.lobby, shared, why)


def pool_opener(shared: Shared) -> Callable[[PoolSpec], PoolAddress]:
    """Return what makes the addresses of all pools of one system."""

    def make_address(spec: PoolSpec) -> PoolAddress:
        return PoolAddress(spec, shared)

    return make_address
