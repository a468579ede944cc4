"""A Trio run that goes on only while a synchronous program wants it to.

A state machine of hypothesis is synchronous, a system lives in one Trio run. Trio's guest
mode joins them: the run's main task waits for wishes, and each wish is carried out
while the program serves Trio's callbacks. Trio's clock is a mock one.
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any, final

import trio
from trio.testing import MockClock

from pace import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from outcome import Outcome


@final
class StepwiseRun:
    """One Trio run; `main` is given this object and returns when it is to stop."""

    def __init__(self, main: Callable[[StepwiseRun], Awaitable[None]]) -> None:
        self.clock = MockClock()
        self._callbacks: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._wish: Callable[[], Awaitable[Any]] | None = None
        self._wished = trio.Event()
        self._answers: list[Any] = []
        self._end: Outcome[None] | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._is_stopping = False
        trio.lowlevel.start_guest_run(
            main,
            self,
            run_sync_soon_threadsafe=self._callbacks.put,
            done_callback=self._note_end,
            clock=self.clock,
        )
        self._serve(lambda: self._token is not None)

    def do(self, wish: Callable[[], Awaitable[Any]]) -> Any:
        """Have the run carry out a wish, and return or raise what came of it."""
        self._wish = wish
        assert self._token is not None
        self._token.run_sync_soon(self._wished.set)
        self._serve(lambda: bool(self._answers))
        return self._answers.pop()

    def stop(self) -> None:
        """Let `main` return, and raise what it raised."""
        if self._end is None:
            self._is_stopping = True
            assert self._token is not None
            self._token.run_sync_soon(self._wished.set)
            self._serve(lambda: False)
        assert self._end is not None
        self._end.unwrap()

    async def wishes(self) -> None:
        """Carry out wishes until there are to be no more; for `main` to call."""
        self._token = trio.lowlevel.current_trio_token()
        while True:
            await self._wished.wait()
            self._wished = trio.Event()
            if self._is_stopping:
                return
            if self._wish is not None:
                wish, self._wish = self._wish, None
                self._answers.append(await wish())

    def _note_end(self, end: Outcome[None]) -> None:
        self._end = end

    def _serve(self, is_done: Callable[[], bool]) -> None:
        while not is_done() and self._end is None:
            self._callbacks.get(timeout=PATIENCE)()
        if self._end is not None and not self._is_stopping:
            self._end.unwrap()
            raise AssertionError("the run ended by itself")
