"""What a guest can wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from ._context import Held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._context import WasiContext


class Pollable(Held):
    """Something that is ready at once; others override both methods."""

    __slots__ = ()

    def ready(self) -> bool:
        """Whether there is nothing to wait for."""
        return True

    @property
    def due(self) -> float:
        """Trio's time at which it is ready by itself."""
        return 0.0


@final
class Timer(Pollable):
    """Ready from a time on."""

    __slots__ = ("_due", "_shown")

    def __init__(self, context: WasiContext, when: tuple[int, float]) -> None:
        super().__init__(context)
        self._shown, self._due = when

    def ready(self) -> bool:
        """Whether its time has come; the guest's clock shows it from then on."""
        if trio.current_time() < self._due:
            return False
        self.context.monotonic.note(self._shown)
        return True

    @property
    def due(self) -> float:
        """Trio's time at which it is ready."""
        return self._due


def ready_ones(pollables: Sequence[Pollable]) -> list[int]:
    """Return the places of those that are ready."""
    return [place for place, each in enumerate(pollables) if each.ready()]


async def wait_for_any(pollables: Sequence[Pollable]) -> list[int]:
    """Wait until some are ready; return their places."""
    while True:
        found = ready_ones(pollables)
        if found:
            return found
        await trio.sleep_until(min(each.due for each in pollables))
