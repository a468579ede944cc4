"""Ticks made by a test, so that a guest's slice ends where the test wants it to."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Callable, Sized


@final
class HandTicks:
    """Ends slices when `tick` is called, and only then.

        ticks = HandTicks()
        async with open_runtime(settings, make_ticks=ticks) as loader: ...

    A guest that is being run holds the thread that runs it: tick from a host service
    that it calls, or from another thread. A guest that loops without either never
    ends. For one runtime.
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
    ) -> HandTicks:
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
