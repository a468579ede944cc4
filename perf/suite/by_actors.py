"""The cases of Python actors; each for a handler that is `async def` and one that is not."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio
import trio.testing
from measuring.ratios import check_count

from airssys.contracts import NO_BACKOFF, Envelope
from airssys.dsl import actor, blueprint
from airssys.system import open_system
from perf.suite.by_trio import FAN, PAYLOAD, RING, rounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from airssys.contracts import ActorContext
    from perf.suite.timing import Measure

    Handler: TypeAlias = Callable[[ActorContext, Envelope], Any]

_BURST: Final = 250
_RESTARTS: Final = 1_000_000_000
_SHORT: Final = 1e-3
"""The period of the restart intensity, so that its record stays small."""
_TOPIC: Final = "news"
_ROLLUP: Final = Path("/proc/self/smaps_rollup")


def _kind(handler: Handler, *, plain: bool) -> Handler:
    """Return a handler as it is, or one that is `async def` with the same body.

    The body of a case is written once; an awaiting wrapper would cost a call that a
    handler written by hand does not have, so the plain one is called and its answer
    returned, which costs both sides of a comparison of two commits the same.
    """
    if plain:
        return handler

    async def handle(context: ActorContext, envelope: Envelope) -> Any:  # noqa: ANN401  # as the handler
        return handler(context, envelope)

    return handle


def _echo(_: object, envelope: Envelope) -> bytes:
    return envelope.payload


@asynccontextmanager
async def tell(*, plain: bool) -> AsyncIterator[Measure]:
    """Tell one actor, in bursts that its mailbox holds, until all is handled."""
    handled = 0

    def plainly(_: object, __: Envelope) -> None:
        nonlocal handled
        handled += 1

    async def awaiting(_: object, __: Envelope) -> None:  # a handler
        nonlocal handled
        handled += 1

    handler: Handler = plainly if plain else awaiting
    async with open_system(blueprint(actor("one", handler))) as system:

        async def send(count: int) -> float:
            wanted, send_one = handled + count, system.tell
            left = count
            began = perf_counter()
            while left:
                burst = min(left, _BURST)
                left -= burst
                for _ in range(burst):
                    send_one("one", PAYLOAD)
                while handled < wanted - left:
                    await trio.lowlevel.checkpoint()
            took = perf_counter() - began
            check_count("messages handled", handled, wanted)
            return took

        yield send


@asynccontextmanager
async def ask(*, plain: bool) -> AsyncIterator[Measure]:
    """Ask an idle actor, one question after the other."""
    handler = _kind(_echo, plain=plain)
    async with open_system(blueprint(actor("one", handler))) as system:

        async def questions(count: int) -> float:
            question = system.ask
            began = perf_counter()
            for _ in range(count):
                await question("one", PAYLOAD)
            return perf_counter() - began

        yield questions


@asynccontextmanager
async def ring(*, plain: bool) -> AsyncIterator[Measure]:
    """A hundred actors, each of which tells the next."""
    done = trio.Event()
    names = [f"node-{n}" for n in range(RING)]

    def handle(following: str, context: ActorContext, envelope: Envelope) -> None:
        left = int(envelope.payload)
        if left:
            context.tell(following, b"%d" % (left - 1))
        else:
            done.set()

    nodes = [
        actor(name, _kind(_bound(handle, names[(n + 1) % RING]), plain=plain))
        for n, name in enumerate(names)
    ]
    async with open_system(blueprint(*nodes)) as system:

        async def hop(count: int) -> float:
            nonlocal done
            done = trio.Event()
            began = perf_counter()
            system.tell(names[0], b"%d" % count)
            await done.wait()
            return perf_counter() - began

        yield hop


def _bound(handle: Callable[[str, ActorContext, Envelope], None], name: str) -> Handler:
    def handler(context: ActorContext, envelope: Envelope) -> None:
        handle(name, context, envelope)

    return handler


class _Counted:
    """How many of a fan have not handled what they were sent."""

    def __init__(self) -> None:
        self.left, self.done = 0, trio.Event()

    def handle(self, _: object, __: Envelope) -> None:
        """Count one message."""
        self.left -= 1
        if not self.left:
            self.done.set()

    def begin(self) -> trio.Event:
        """Expect one message for each."""
        self.left, self.done = FAN, trio.Event()
        return self.done


@asynccontextmanager
async def fan(*, plain: bool) -> AsyncIterator[Measure]:
    """Tell a hundred actors, and wait until all have handled it."""
    counted = _Counted()
    names = [f"leaf-{n}" for n in range(FAN)]
    handler = _kind(counted.handle, plain=plain)
    async with open_system(blueprint(*(actor(n, handler) for n in names))) as system:

        async def deliver(count: int) -> float:
            began = perf_counter()
            for _ in range(rounds(count)):
                done = counted.begin()
                for name in names:
                    system.tell(name, PAYLOAD)
                await done.wait()
            return (perf_counter() - began) * count / (rounds(count) * FAN)

        yield deliver


@asynccontextmanager
async def publish(*, plain: bool) -> AsyncIterator[Measure]:
    """Publish to a hundred actors, and wait until all have handled it."""
    counted = _Counted()

    class Plain:
        async def started(self, context: ActorContext) -> None:  # a hook
            context.subscribe(_TOPIC)

        def handle(self, context: ActorContext, envelope: Envelope) -> None:
            counted.handle(context, envelope)

    class Awaiting:
        async def started(self, context: ActorContext) -> None:  # a hook
            context.subscribe(_TOPIC)

        async def handle(
            self, context: ActorContext, envelope: Envelope
        ) -> None:  # a handler
            counted.handle(context, envelope)

    listener = Plain if plain else Awaiting
    leaves = (actor(f"leaf-{n}", listener) for n in range(FAN))
    async with open_system(blueprint(*leaves)) as system:
        await trio.testing.wait_all_tasks_blocked()

        async def deliver(count: int) -> float:
            began = perf_counter()
            for _ in range(rounds(count)):
                done = counted.begin()
                await system.publish(_TOPIC, PAYLOAD)
                await done.wait()
            return (perf_counter() - began) * count / (rounds(count) * FAN)

        yield deliver


def _fragile(_: object, envelope: Envelope) -> bytes:
    if envelope.payload == b"x":
        raise ValueError("on request")
    return b""


@asynccontextmanager
async def crash(*, plain: bool) -> AsyncIterator[Measure]:
    """Crash an actor; ask it at once, and have the answer of its next incarnation."""
    one = actor("one", _kind(_fragile, plain=plain), backoff=NO_BACKOFF)
    tree = blueprint(one, restarts=_RESTARTS, period=_SHORT, restart_budget=None)
    async with open_system(tree) as system:

        async def crash_and_ask(count: int) -> float:
            began = perf_counter()
            for _ in range(count):
                system.tell("one", b"x")
                await system.ask("one", b"")
            return perf_counter() - began

        yield crash_and_ask


@asynccontextmanager
async def spawn(*, plain: bool) -> AsyncIterator[Measure]:
    """Open a system of that many actors; declaring them does not count."""
    handler = _kind(_echo, plain=plain)

    async def spawn_all(count: int) -> float:
        tree = blueprint(*(actor(f"a-{n}", handler) for n in range(count)))
        began = perf_counter()
        async with open_system(tree) as system:
            took = perf_counter() - began
            active = system.supervisor("root").count_children().active
            check_count("actors that run", active, count)
        return took

    yield spawn_all


def _memory() -> int:
    gc.collect()
    lines = _ROLLUP.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


@asynccontextmanager
async def idle_bytes(*, plain: bool) -> AsyncIterator[Measure]:
    """Bytes of actors that wait; what was measured stays, so that nothing is reused."""
    handler = _kind(_echo, plain=plain)
    async with AsyncExitStack() as stack:

        async def grow(count: int) -> float:
            tree = blueprint(*(actor(f"a-{n}", handler) for n in range(count)))
            before = _memory()
            await stack.enter_async_context(open_system(tree))
            await trio.testing.wait_all_tasks_blocked()
            return _memory() - before

        yield grow


@asynccontextmanager
async def idle_task_bytes() -> AsyncIterator[Measure]:
    """Bytes of tasks, each of which waits at a channel of its own."""

    async def receive(letters: trio.MemoryReceiveChannel[bytes]) -> None:
        async for _ in letters:
            pass

    kept: list[object] = []
    async with trio.open_nursery() as nursery:

        async def grow(count: int) -> float:
            before = _memory()
            for _ in range(count):
                post, letters = trio.open_memory_channel[bytes](1000)
                kept.append(post)
                nursery.start_soon(receive, letters)
            await trio.testing.wait_all_tasks_blocked()
            return _memory() - before

        yield grow
        nursery.cancel_scope.cancel()
