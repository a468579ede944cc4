"""What every guest of a system may ask, and gets the same answer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import ComponentId, ComponentInfo, Timestamp, WallClock
from airssys.messaging import Registry, Sleepers

if TYPE_CHECKING:
    from collections.abc import Sequence

_NANOSECONDS: Final = 1_000_000_000


@final
@attrs.frozen
class SystemClock:
    """The time of day as the system has it, and sleep (implements `Clock`)."""

    _wall_clock: WallClock
    _sleepers: Sleepers

    def current_time(self) -> Timestamp:
        """Read the wall clock."""
        return Timestamp(*divmod(self._wall_clock(), _NANOSECONDS))

    async def sleep(self, seconds: float) -> None:
        """Sleep on Trio's clock."""
        await self._sleepers.sleep(seconds)


@final
@attrs.frozen
class ActorDirectory:
    """The actors of a system (implements `Directory`)."""

    _registry: Registry
    _infos: dict[ComponentId, ComponentInfo]

    def list_components(self) -> Sequence[ComponentId]:
        """Return all names that can be reached now, sorted."""
        return self._registry.ids()

    def component_info(self, target: ComponentId) -> ComponentInfo | None:
        """Return what an actor reported of itself, None if it cannot be reached."""
        return self._infos.get(target)
