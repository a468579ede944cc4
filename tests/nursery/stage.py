"""Supervisors with scripted children: each does what the test tells it to."""

from __future__ import annotations

import math
import random
from contextlib import asynccontextmanager

import attrs
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    ActorSpec,
    ChildExited,
    ChildStarted,
    ComponentId,
    DynamicSupervisorSpec,
    Intensity,
    LifeState,
    SupervisorSpec,
    follow,
)
from airssys.nursery import Administration, Declared
from airssys.nursery.children import SlotState
from airssys.nursery.children._child import Child
from airssys.nursery.tree._supervisor_cell import SupervisorCell


@attrs.define(eq=False)
class ScriptedChild:
    """One incarnation: starts, lives until the test says how it ends, stops."""

    name: str
    stage: Stage
    start_error: BaseException | None = None
    start_seconds: float = 0
    stop_seconds: float = 0
    stop_error: BaseException | None = None
    ignores_cancel_for: float = 0
    kill_error: BaseException | None = None
    swallows_cancel: bool = False
    is_protected: bool = False
    _ends: trio.Event = attrs.Factory(trio.Event)
    _error: BaseException | None = None
    asked: bool = False

    async def run(self, ready):
        self.stage.log.append(f"start {self.name}")
        self.stage.alive.append(self)
        self.is_protected = trio.lowlevel.currently_ki_protected()
        try:
            await trio.sleep(self.start_seconds)
            if self.start_error is not None:
                raise self.start_error
            ready()
            await self._ends.wait()
            if self._error is not None:
                raise self._error
            await trio.sleep(self.stop_seconds)
            if self.stop_error is not None and self.asked:
                raise self.stop_error
        except trio.Cancelled:
            if self.swallows_cancel:
                return
            if self.kill_error is not None:
                raise self.kill_error from None
            raise
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.ignores_cancel_for)
            self.stage.alive.remove(self)
            self.stage.log.append(f"end {self.name}")

    def stop_soon(self):
        self.stage.log.append(f"ask {self.name}")
        self.asked = True
        self._ends.set()
        return True

    def end(self, error=None):
        self._error = error
        self._ends.set()


def label_of(spec):
    """Name a scripted child: `a`, and `a/3` for the third one made from a template."""
    own = spec.id
    return own.name if own.instance == "0" else f"{own.name}/{own.instance}"


@attrs.define(eq=False)
class ScriptedCell:
    declared: Declared
    stage: Stage
    released: int = 0

    @property
    def spec(self):
        return self.declared.spec

    def incarnate(self):
        self.declared.start()
        name = label_of(self.spec)
        by_name = self.stage.habits
        habits = by_name.get(name) or by_name.get(self.spec.id.name) or [{}]
        habit = habits.pop(0) if len(habits) > 1 else habits[0]
        scripted = ScriptedChild(name, self.stage, **habit)
        self.stage.scripted_children[name] = scripted
        self.stage.arguments.append((name, repr(self.spec.arguments)))
        return scripted

    def release(self, why="", /):
        if not self.released:
            self.stage.log.append(f"release {label_of(self.spec)}")
        self.released += 1


@attrs.define(eq=False)
class Stage:
    """Everything a test may inspect."""

    habits: dict[str, list[dict]] = attrs.Factory(dict)
    """How the incarnations of a name behave, one after the other; the last one stays."""
    log: list[str] = attrs.Factory(list)
    events: list = attrs.Factory(list)
    alive: list[ScriptedChild] = attrs.Factory(list)
    scripted_children: dict[str, ScriptedChild] = attrs.Factory(dict)
    """The latest incarnation of each name."""
    arguments: list[tuple[str, str]] = attrs.Factory(list)
    """What each incarnation was given."""
    supervisor: object | None = None
    rng: random.Random | None = None
    root: Child | None = None
    nursery: trio.Nursery | None = None
    ready: trio.Event = attrs.Factory(trio.Event)

    def child_ready(self, child):
        self.ready.set()

    def child_ended(self, child, reason):
        self.log.append(f"root {reason.kind.value}")

    def make(self, spec):
        return SupervisorCell(
            Declared(spec),
            spec.name,
            lambda declared: ScriptedCell(declared, self),
            self.events.append,
            self.rng,
        ).incarnate()

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def exits(self):
        return [(e.child, e.reason.kind.value, e.asked) for e in self.of(ChildExited)]

    def starts(self):
        return [(e.child, e.restarts) for e in self.of(ChildStarted)]

    def state(self, name):
        for slot in self.supervisor.roster:
            if slot.name == name or slot.name == f"local/{name}/0":
                return slot.state
        return None

    @property
    def admin(self):
        return Administration(lambda: self.supervisor)

    def living(self):
        return [scripted.name for scripted in self.alive]

    def presences(self):
        """All children in start order, e.g. `a:running`."""
        which = reversed(self.admin.which_children())
        return [f"{short(info.child)}:{info.presence.value}" for info in which]

    async def settle(self):
        await trio.testing.wait_all_tasks_blocked()

    async def crash(self, name, error=None):
        self.scripted_children[name].end(error or ValueError("on purpose"))
        await self.settle()

    async def finish(self, name):
        self.scripted_children[name].end()
        await self.settle()


def assert_lives_are_over(events):
    """Whatever a test was about: its events report possible lives, all of them over."""
    left = set(follow(events).values())
    assert left <= {LifeState.ABSENT, LifeState.RESTARTING}


def short(child):
    namespace, _, rest = child.partition("/")
    return rest.removesuffix("/0") if rest else namespace


def dynamic(template=None, *, name="root", restarts=3, period=60.0, **options):
    return DynamicSupervisorSpec(
        name=name,
        template=template,
        intensity=Intensity(restarts, period),
        backoff=NO_BACKOFF,
        **options,
    )


def worker(name, *, backoff=NO_BACKOFF, **options):
    return ActorSpec(
        id=ComponentId("local", name), behaviour=print, backoff=backoff, **options
    )


def group(*children, name="root", restarts=3, period=60.0, **options):
    return SupervisorSpec(
        name=name,
        children=children,
        intensity=Intensity(restarts, period),
        backoff=options.pop("backoff", NO_BACKOFF),
        **options,
    )


@asynccontextmanager
async def acting(spec, habits=None, *, wait=True, rng=None):
    """Run a supervisor without a parent; stop it at the end."""
    stage = Stage({name: list(h) for name, h in (habits or {}).items()})
    stage.rng = rng
    stage.supervisor = stage.make(spec)
    async with trio.open_nursery() as nursery:
        stage.nursery = nursery
        stage.root = Child(spec.name, stage.supervisor, math.inf, stage)
        stage.root.start(nursery)
        if wait:
            await stage.ready.wait()
            stage.log.clear()
        try:
            yield stage
        finally:
            with trio.CancelScope(shield=True):
                await stage.root.stop(math.inf)
    assert stage.alive == []
    assert_lives_are_over(stage.events)


__all__ = (
    "ScriptedChild",
    "SlotState",
    "Stage",
    "acting",
    "assert_lives_are_over",
    "dynamic",
    "group",
    "short",
    "worker",
)
