"""Ticks that a test makes, so that it decides when a guest is interrupted.

Two other rules decide when a slice ends, and both depend on real time: a slice ends in
a host call after `EngineSettings.tick` seconds, and it continues after a tick that came
in its first tenth. A long `tick` prevents the first case. Because of the second one, a
slice ends at one of the ticks, but not always at the first.
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

    A running guest blocks the thread that runs it. So tick from a host service that it
    calls, or from another thread. A guest that loops without either never ends. The
    limit on its execution time still uses real time. An object is for one runtime.
    """

    def __init__(self) -> None:
        self.count = 0
        """The number of ticks so far."""
        self.touched = False
        """Whether a guest was run since this was last set to False."""
        self.parked = False
        self.is_closed = False
        """Whether the runtime is closed; then ticks have no effect."""
        self._tick: Callable[[], None] | None = None

    def __call__(
        self, period: float, tick: Callable[[], None], running: Sized
    ) -> ManualTicks:
        """Attach to a runtime, which calls this when it opens.

        Raises:
            RuntimeError: They belong to another runtime.
        """
        if self._tick is not None:
            raise RuntimeError("these ticks belong to another runtime: create new ones")
        self._tick = tick
        return self

    def tick(self, times: int = 1) -> None:
        """Tick that many times at once; any thread may call this.

        Raises:
            RuntimeError: No runtime is open with them.
        """
        if self._tick is None or self.is_closed:
            raise RuntimeError("no runtime is open with these ticks")
        for _ in range(times):
            self.count += 1
            self._tick()

    def touch(self) -> None:
        """Do nothing: there is no thread to wake."""

    def close(self) -> None:
        """Stop ticking; called by the runtime."""
        self.is_closed = True

    def abandon(self) -> None:
        """Stop ticking; called by the runtime."""
        self.is_closed = True
