"""Long work in the Trio thread, cut into portions, so that others get their turn.

What one call does for many targets takes as long as its caller likes: a thousand
deliveries are tens of milliseconds, in which no other task runs. So long work goes on
for a millisecond, and then lets others run. That is not enough: if twenty calls do so at
once, a pass of Trio's scheduler takes twenty milliseconds. So all long work of a
system shares one *floor*: the call that has it works for one portion in a pass, and then
goes to the end of the line. Work on few things never asks for it.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final, Self, final

import attrs
import trio

if TYPE_CHECKING:
    from types import TracebackType

FEW: Final = 16
"""This many things are done at once, before the clock is read."""
_PORTION: Final = 0.001
"""Seconds of work before others get their turn."""


@final
@attrs.define(eq=False)
class Floor:
    """Decides which of all calls with long work may do some of it in this pass."""

    _line: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    """Served in the order of arrival."""

    def work(self) -> LongWork:
        """Begin what may be long; use it as a context manager, in one task.

        with floor.work() as work:
            for thing in things:
                if work.is_due():
                    await work.pause()
                ...
        """
        return LongWork(self._line)


@final
@attrs.define(eq=False)
class LongWork:
    """The work of one call on many things."""

    _line: trio.Lock
    _has_floor: bool = attrs.field(init=False, default=False)
    _done: int = attrs.field(init=False, default=0)
    _ends: float = attrs.field(init=False, default=0.0)
    """When its portion is over; a clock of real time, as in `wasm/instances/_turns`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave()

    @property
    def has_paused(self) -> bool:
        """Whether others have run since it began."""
        return self._ends > 0

    def is_due(self) -> bool:
        """Count one more thing; True if others shall get their turn before it."""
        self._done += 1
        return self._done > FEW and perf_counter() >= self._ends

    async def pause(self) -> None:
        """Let others run, those with long work first; always a checkpoint."""
        self._leave()
        self._ends = perf_counter()
        await self._line.acquire()
        self._has_floor = True
        self._ends = perf_counter() + _PORTION

    def _leave(self) -> None:
        if self._has_floor:
            self._has_floor = False
            self._line.release()
