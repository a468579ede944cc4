"""Programs that are right, in every form of each word; `make mypy` checks this file."""

import math
from collections.abc import Awaitable
from pathlib import Path
from typing import assert_type

from airssys import (
    BRUTAL_KILL,
    ActorContext,
    ActorSpec,
    Artifact,
    Blueprint,
    ComponentId,
    ComponentSpec,
    DynamicSupervisorSpec,
    EngineSettings,
    Envelope,
    Limits,
    PoolSize,
    PoolSpec,
    PoolStatus,
    RestartType,
    Routing,
    SupervisorSpec,
    System,
    TaskContext,
    TaskSpec,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    pool,
    run,
    supervisor,
    task,
    topology,
)
from airssys.dsl import ComponentDeclaration, DynamicDeclaration, PoolDeclaration


@component("counter.wasm", restart="transient", limits=Limits(fuel=1000), mailbox=64)
class Counter:
    """A component that was declared with all that there is."""


@component(
    Path("worker.wasm"),
    names=("worker-1", ComponentId("team", "worker", "2")),
    data=b"\x01",
    env={"VERBOSE": "1"},
    limits={"memory_bytes": 2**20, "fuel": None},
    shutdown=BRUTAL_KILL,
    start_timeout=2,
)
class Worker:
    """A component of two actors, its limits as plain values."""


@actor
async def printer(context: ActorContext, envelope: Envelope) -> None:
    """Return nothing."""


@actor(mailbox=10, restart=RestartType.TEMPORARY, shutdown=math.inf)
async def asker(context: ActorContext, envelope: Envelope) -> bytes | None:
    """Return what may be nothing."""
    return await context.ask("printer", envelope.payload)


def relay(context: ActorContext, envelope: Envelope) -> Awaitable[bytes | None]:
    """Return what can be awaited."""
    return context.ask("printer", envelope.payload)


@actor(names="clerk")
class Clerk:
    """A class with arguments, one of which may be left out."""

    def __init__(self, name: str = "nobody", age: int = 0) -> None:
        self.name = name

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        """Return bytes, where nothing would do."""
        return self.name.encode()


@supervisor
class Inner:
    """Declared without options."""

    clerk = Clerk
    relay = actor("relay", relay)


@supervisor(restarts=5, period=10, restart="temporary", shutdown=3)
class Workers:
    """Declared with all options."""

    workers = Worker
    counter = Counter
    more = tuple(component(f"more-{n}", Counter, mailbox=n + 1) for n in range(3))
    inner = Inner


@task
async def sweep() -> None:
    """Take nothing."""


@task(context=True, restart="transient", backoff={"growth": "linear", "first": 1})
async def listen(context: TaskContext) -> None:
    """Take a context."""
    context.started()


async def count(context: TaskContext, first: int) -> int:
    """Take more; what is returned does not matter."""
    return first


@pool(size={"minimum": 1, "maximum": 8}, routing="least-mailbox", topics="jobs.#")
@actor(mailbox=10, topics=["news.*", "mail"], lag="block")
class Packer:
    """A pool of a class."""

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        """Return nothing."""
        context.tell("packer", b"", key=b"k")


@pool(size=3, names=["north", "south"])
@component("worker.wasm")
class Guests:
    """Two pools of a component."""


@pool
async def single(context: ActorContext, envelope: Envelope) -> None:
    """Be the member of a pool of one."""


def first_byte(envelope: Envelope) -> bytes:
    """Return a key."""
    return envelope.payload[:1]


@topology(stop_timeout=10, restarts=1, period=2.5, engine=EngineSettings(tick=0.01))
class App:
    """A whole system."""

    shout = component("shout.wasm", names=["loud", "louder"])
    printer = printer
    asker = asker
    workers = Workers
    sweep = sweep
    more = task("more", count, 3, context=True, shutdown=2.0)
    clerks = dynamic_supervisor(Clerk, max_children=3, restarts=1)
    guests = dynamic_supervisor(component("shout.wasm", poison="retry"))
    packer = Packer
    pooled = Guests
    single = single
    printers = pool(printer, size=2, routing=Routing.CONSISTENT_HASH, key=first_byte)
    shouts = pool(component("shout.wasm"), size=PoolSize(maximum=2), lag="disconnect")


@topology
class Small:
    """Declared without options."""

    printer = printer


# What a decorator was put above stays what it was.
assert_type(App, type[App])
assert_type(Clerk("a", 1).name, str)
assert_type(component("shout.wasm"), ComponentDeclaration)

assert_type(dynamic_supervisor(Clerk), DynamicDeclaration)
assert_type(dynamic_supervisor("d", Clerk), DynamicSupervisorSpec)
assert_type(dynamic_supervisor("d", printer), DynamicSupervisorSpec)
assert_type(task("t", sweep), TaskSpec)

a_component = component("a", Artifact.from_text("(component)"), data="text")
an_actor = actor("b", Clerk, "name", 7, mailbox=3)
a_supervisor = supervisor("c", a_component, an_actor, restarts=1)
a_pool = pool("e", Clerk, size=2, restarts=3, period=1.5, shutdown=BRUTAL_KILL)
another_pool = pool("f", an_actor, size={"maximum": 3, "patience": 1})
assert_type(a_pool, PoolSpec)
assert_type(pool(an_actor, size=3), PoolDeclaration)
assert_type(Packer(), Packer)
a_blueprint = blueprint(a_supervisor, actor("d", printer), engine=EngineSettings())
assert_type(a_component, ComponentSpec)
assert_type(an_actor, ActorSpec)
assert_type(a_supervisor, SupervisorSpec)
assert_type(a_blueprint, Blueprint)


async def main(system: System) -> int:
    """Return what `run` returns."""
    return len(await system.ask("asker", b"") or b"")


async def use_pools(system: System) -> None:
    """Ask about a pool, and change it."""
    assert_type(system.pool("packer"), PoolStatus)
    await system.resize("packer", 3)
    await system.send("packer", b"", key="k")
    await system.ask("packer", b"", key=b"k")


async def embed() -> None:
    """Open a topology, and a blueprint."""
    async with open_system(App) as system, open_system(a_blueprint):
        assert_type(system, System)


def start() -> None:
    """Run a topology, and a blueprint."""
    assert_type(run(App, main), int | None)
    assert_type(run(a_blueprint, main), int | None)
