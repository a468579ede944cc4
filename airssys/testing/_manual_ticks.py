"""Ticks made by a test, so that a guest is interrupted where the test wants it to be.

Two more things decide when a slice ends, and both go by real time: it ends in a host
call when `EngineSettings.tick` seconds are over, and it goes on after a tick that came
in its first tenth. A long `tick` keeps the first one away; the second one means that a
slice ends at one of the ticks, not always at the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sized


@final
class ManualTicks:
    """Interrupts guests when `tick` is called, and only then.

        ticks = ManualTicks()
        async with open_runtime(settings, make_ticks=ticks) as loader: ...

    A guest that is being run holds the thread that runs it: tick from a host service
    that it calls, or from another thread. A guest that loops without either never
    ends. How long it may compute is real time all the same. For one runtime.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many ticks there were."""
        self.touched = False
        """A guest was run since this was last set to False."""
        self.parked = False
        self.is_closed = False
        """The runtime is closed: no tick does anything any more."""
        self._tick: Callable[[], None] | None = None

    def __call__(
        self, period: float, tick: Callable[[], None], running: Sized
    ) -> ManualTicks:
        """Become the ticks of a runtime, which calls this when it opens.

        Raises:
            RuntimeError: they are those of another one.
        """
        if self._tick is not None:
            raise RuntimeError("these ticks are for one runtime: make others")
        self._tick = tick
        return self

    def tick(self, times: int = 1) -> None:
        """Let so many ticks pass at once; any thread may call it.

        Raises:
            RuntimeError: no runtime is open with them.
        """
        if self._tick is None or self.is_closed:
            raise RuntimeError("no runtime is open with these ticks")
        for _ in range(times):
            self.count += 1
            self._tick()

    def touch(self) -> None:
        """Nothing is parked, and nobody needs to be woken."""

    def close(self) -> None:
        """Tick no more; called by the runtime."""
        self.is_closed = True

    def abandon(self) -> None:
        """Tick no more; called by the runtime."""
        self.is_closed = True
