"""Children that a test controls, and the real supervisors that supervise them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from airssys.contracts import (
    ActorSpec,
    DynamicSupervisorSpec,
    Event,
    ExitReason,
    SupervisorSpec,
    child_name,
)
from airssys.nursery import Child, Declared, Ignore, SupervisorCell

from ._clock_and_habits import FAILS, HANGS, IGNORES, Habit, Script

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.nursery import Cell

_START_ERRORS: Final = {FAILS: ValueError, IGNORES: Ignore}


@final
@attrs.define(eq=False)
class ScriptedChild:
    """One incarnation: starts, runs until the test ends it, stops."""

    name: str
    _troupe: ScriptedChildren
    _habit: Habit
    _outcome: str | None
    _ends: trio.Event = attrs.Factory(trio.Event)
    _asked: bool = False
    _error: Exception | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Live."""
        if self.name in self._troupe.alive:
            self._troupe.doubles.append(self.name)
        self._troupe.alive[self.name] = self
        try:
            await self._start()
            ready()
            await self._ends.wait()
            await self._end()
        finally:
            self._troupe.alive.pop(self.name, None)
            self._troupe.ended.append(self.name)

    async def _start(self) -> None:
        is_hung = self._outcome == HANGS
        await trio.sleep(math.inf if is_hung else self._habit.start_seconds)
        if self._outcome in _START_ERRORS:
            raise _START_ERRORS[self._outcome](self._outcome)

    async def _end(self) -> None:
        if self._error is not None:
            raise self._error
        if self._asked:
            await trio.sleep(self._habit.stop_seconds)
            if self._habit.stops_badly:
                raise ValueError("stops badly")

    def stop_soon(self) -> bool:
        """Be asked to stop."""
        self._asked = not self._ends.is_set()
        self._ends.set()
        return True

    def end(self, error: Exception | None = None) -> None:
        """End by itself."""
        self._error = error
        self._ends.set()


@final
@attrs.define(eq=False)
class _ScriptedCell:
    _declared: Declared
    _troupe: ScriptedChildren

    def incarnate(self) -> ScriptedChild:
        name, world = child_name(self._declared.start()), self._troupe.world
        return ScriptedChild(name, self._troupe, world.habit(name), world.outcome(name))

    def release(self, _: str = "", /) -> None:
        pass


@final
class ScriptedChildren:
    """A real supervisor with scripted workers, and the events it reports."""

    def __init__(
        self, spec: SupervisorSpec | DynamicSupervisorSpec, world: Script
    ) -> None:
        """Make the environment of a root; `start` fills it.

        Args:
            spec: The specification of the root. Workers are actors; their code is not
                used.
            world: How its children start and stop; its time and trace are not changed.
        """
        self.world = world
        self.events: list[Event] = []
        self.alive: dict[str, ScriptedChild] = {}
        """By the names of the children."""
        self.ended: list[str] = []
        """The children that ended, in that order."""
        self.doubles: list[str] = []
        """Those that were started while they were still running."""
        self._is_ready = trio.Event()
        declared, make, emit = Declared(spec), self._make_cell, self.events.append
        cell = SupervisorCell(declared, spec.name, make, emit, world.rng)
        self.supervisor = cell.incarnate()
        self.root = Child(spec.name, self.supervisor, math.inf, self)

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the root, and wait until all children are running, or it has ended."""
        self.root.start(nursery)
        await self._is_ready.wait()

    def child_ready(self, child: Child) -> None:
        """Note that the root is ready."""
        self._is_ready.set()

    def child_ended(self, child: Child, reason: ExitReason) -> None:
        """Note that the root has ended."""
        self._is_ready.set()

    def _make_cell(self, declared: Declared) -> Cell:
        if not isinstance(declared.spec, ActorSpec):
            raise TypeError(f"only actors can be scripted, not {declared.spec!r:.80}")
        return _ScriptedCell(declared, self)
