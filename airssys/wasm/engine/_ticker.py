"""The thread that makes epochs pass, so that a guest's deadline can come.

A deadline is counted in epochs, and an epoch only passes when the engine is ticked. A
thread of its own does that, because a guest may block any other thread. It must be
awake while a guest runs, but should not wake an idle machine two hundred times a
second, so it parks after some idle ticks. Waking it costs 17 us, too much for every
call; so a call in a busy system only sets a flag.

No call is missed: the ticker sets "parked" first and reads the flag after that; a
caller sets the flag first and reads "parked" after that. Whatever the order, one of
them sees the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sized
from typing import Final, Protocol, TypeAlias, final

_IDLE_TICKS: Final = 20
"""Seconds after the last call for which it keeps ticking; 0.1 s at 5 ms a tick."""


class Ticks(Protocol):
    """What makes epochs pass while guests are being run; tests do it by hand."""

    touched: bool
    parked: bool

    def touch(self) -> None: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


TicksMaker: TypeAlias = Callable[[float, Callable[[], None], Sized], Ticks]
"""Makes one from the seconds of a tick, what a tick does, and the running guests."""


@final
class Ticker:
    """Calls `tick` every `period` seconds while guests are being run."""

    def __init__(self, period: float, tick: Callable[[], None], running: Sized) -> None:
        self._period = period
        self._running = running
        """Not empty while a guest is in a poll, however long that takes."""
        self.touched = True
        """Set by code that runs a guest; on the hot path without calling `touch`."""
        self.parked = False
        """Whether no epochs pass now. Read it only after setting `touched`."""
        self.failure: Exception | None = None
        """The exception of the first tick that failed."""
        self._closing = False
        self._wake = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(tick,), name="airssys-ticker", daemon=True
        )
        self._thread.start()

    def touch(self) -> None:
        """Make sure that epochs pass for some ticks from now on."""
        self.touched = True
        if self.parked:
            self._wake.set()

    def close(self) -> None:
        """Stop for good and wait for the thread; calling it again does nothing."""
        self._closing = True
        self._wake.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def abandon(self) -> None:
        """Stop for good without waiting, from a finaliser."""
        self._closing = True
        self._wake.set()

    def _run(self, tick: Callable[[], None]) -> None:
        idle = 0
        wake, period, running = self._wake, self._period, self._running
        while not self._closing:
            if wake.wait(period):
                wake.clear()
                continue
            self._tick(tick)
            if self.touched or running:
                self.touched = False
                idle = 0
            else:
                idle += 1
            if idle > _IDLE_TICKS:
                self._park()
                idle = 0

    def _tick(self, tick: Callable[[], None]) -> None:
        """Let an epoch pass; if it fails, continue, because guests would never end."""
        try:
            tick()
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on ticking
            if self.failure is None:
                self.failure = error
                threading.excepthook(
                    threading.ExceptHookArgs(
                        (type(error), error, error.__traceback__, self._thread)
                    )
                )

    def _park(self) -> None:
        self.parked = True
        if not self.touched and not self._closing:
            self._wake.wait()
        self.parked = False
        self._wake.clear()
