"""Asks one incarnation of an actor, now and then, how it is.

A probe is a call into the actor's code, made by the actor's own task between two
messages: it overtakes what is queued, and waits for the present message. So it says
nothing of an actor that is stuck in a message; that is what deadlines are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

import attrs
import trio

from airssys.contracts import (
    CapacityReached,
    Directive,
    HealthChanged,
    HealthStatus,
    Unhealthy,
)
from airssys.nursery.restarts import directive_for

if TYPE_CHECKING:
    from airssys.contracts import Health, OnError

    from ._address import Address


class Probed(Protocol):
    """Code that can be asked how it is."""

    async def health(self) -> HealthStatus: ...


@final
class Prober:
    """The probes of one instance, which is ready now; `known` is its health."""

    def __init__(
        self,
        plan: Health,
        on_error: OnError,
        address: Address,
        known: HealthStatus = HealthStatus.UNKNOWN,
    ) -> None:
        self._plan, self._on_error, self._address = plan, on_error, address
        self._failures = 0
        """In a row. Invariant between two probes: below the threshold."""
        self.is_probing = False
        self._note(known)
        self.due_at = trio.current_time() + plan.interval
        """Trio time of the next probe."""

    @property
    def is_due(self) -> bool:
        """Whether the next probe is to be made now."""
        return trio.current_time() >= self.due_at

    async def probe(self, behaviour: Probed) -> None:
        """Make one probe, and note what it says.

        One that is not answered is cut off when all the time-outs that are left to the
        actor have passed, and not before: a guest that was cut off cannot be called
        again. What is answered after a time-out is not listened to.

        Raises:
            Unhealthy: it failed as often as it may.
            Exception: what the actor's code raised.
        """
        plan, began = self._plan, trio.current_time()
        status = None
        self.is_probing = True
        try:
            with trio.move_on_after((plan.threshold - self._failures) * plan.timeout):
                status = await self._ask(behaviour)
        finally:
            self.is_probing = False
        now = trio.current_time()
        self.due_at = now + plan.interval
        timeouts = int((now - began) / plan.timeout)
        if status is None:
            self._failures = plan.threshold
        self._failures += timeouts
        known = HealthStatus.UNKNOWN if status is None or timeouts else status
        if known is HealthStatus.HEALTHY:
            self._failures = 0
        elif known is HealthStatus.UNHEALTHY:
            self._failures += 1
        self._note(known)
        if self._failures >= plan.threshold:
            raise Unhealthy(self._address.id, plan.threshold, known)

    async def _ask(self, behaviour: Probed) -> HealthStatus:
        try:
            return await behaviour.health()
        except CapacityReached:
            return HealthStatus.UNKNOWN
        except Exception as error:
            if directive_for(self._on_error, error) is not Directive.RESUME:
                raise
            return HealthStatus.UNHEALTHY

    def _note(self, status: HealthStatus) -> None:
        address = self._address
        infos = address.shared.infos
        info = infos[address.id]
        if info.health != status.value:
            before = HealthStatus(info.health)
            infos[address.id] = attrs.evolve(info, health=status.value)
            address.shared.events(HealthChanged(address.id, status, before))
