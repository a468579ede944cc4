"""What there can be many of: opened in this process, used once each, measured.

A population yields figures by name, for each member: seconds of the processor, or bytes.
"""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
import trio.testing
from measuring.guests import PAYLOAD, guest_file, lend, open_shop
from measuring.ratios import check_count

from airssys.contracts import BRUTAL_KILL, EngineSettings, Envelope
from airssys.dsl import actor, blueprint, component
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airssys.contracts import Blueprint
    from airssys.system import System

Figures: TypeAlias = dict[str, float]
Population: TypeAlias = Callable[[int], Awaitable[Figures]]
BYTES: Final = "bytes"
"""Begins the names of figures in bytes, not seconds."""
_BURST: Final = 250
_STOP: Final = 3600
_ROLLUP: Final = Path("/proc/self/smaps_rollup")


def _memory() -> int:
    lines = _ROLLUP.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


def _collected() -> float:
    began = process_time()
    gc.collect()
    return process_time() - began


@asynccontextmanager
async def _measured(
    tree: Blueprint, size: int, found: Figures
) -> AsyncIterator[System]:
    """Open a system; add what opening, a full collection and closing took for each."""
    gc.collect()
    before, began = _memory(), process_time()
    async with AsyncExitStack() as stack:
        system = await stack.enter_async_context(open_system(tree))
        found["open"] = process_time() - began
        found["full collection"] = _collected()
        found[f"{BYTES} when idle"] = _memory() - before
        active = system.supervisor("root").count_children().active
        check_count("actors that run", active, size)
        yield system
        gc.freeze()
        found["full collection after gc.freeze"] = _collected()
        gc.unfreeze()
        began = process_time()
    found["close"] = process_time() - began


async def actors(size: int) -> Figures:
    """Python actors, each of which is sent a message."""
    handled = 0

    def handle(_: object, __: Envelope) -> None:
        nonlocal handled
        handled += 1

    names = [f"a-{n}" for n in range(size)]
    tree = blueprint(*(actor(name, handle) for name in names), stop_timeout=_STOP)
    found: Figures = {}
    async with _measured(tree, size, found) as system:
        began = process_time()
        for start in range(0, size, _BURST):
            for name in names[start : start + _BURST]:
                system.tell(name, PAYLOAD)
            await trio.testing.wait_all_tasks_blocked()
        found["message"] = process_time() - began
        check_count("messages handled", handled, size)
    return {name: each / size for name, each in found.items()}


async def components(size: int) -> Figures:
    """Component actors, each of which answers."""
    return await _answering(size, EngineSettings())


async def pooled(size: int) -> Figures:
    """Component actors whose memory was set aside when the engine started."""
    return await _answering(size, EngineSettings(pooled_instances=size))


async def _answering(size: int, engine: EngineSettings) -> Figures:
    found: Figures = {}
    async with open_shop("echo", engine) as shop:
        code = guest_file("echo")
        each = (component(f"a-{n}", code, shutdown=BRUTAL_KILL) for n in range(size))
        tree = blueprint(*each, stop_timeout=_STOP)
        gc.collect()
        before, began = _memory(), process_time()
        opening = open_system(tree, open_loader=lambda _: lend(shop.loader))
        async with opening as system:
            found["open"] = process_time() - began
            found[f"{BYTES} when idle"] = _memory() - before
            answered, began = 0, process_time()
            for n in range(size):
                answered += await system.ask(f"a-{n}", PAYLOAD) == PAYLOAD
            found["first answer"] = process_time() - began
            check_count("answers", answered, size)
            found[f"{BYTES} when used"] = _memory() - before
            began = process_time()
        found["close"] = process_time() - began
    return {name: each / size for name, each in found.items()}


async def topics(size: int) -> Figures:
    """Subscriptions, each to a topic of its own to which a message is published."""
    found: Figures = {}
    async with open_system(blueprint()) as system, AsyncExitStack() as stack:
        gc.collect()
        before, began = _memory(), process_time()
        listeners = [system.subscribe(f"topic.{n}", capacity=1) for n in range(size)]
        found["subscribe"] = process_time() - began
        for listener in listeners:
            stack.enter_context(listener)
        found[f"{BYTES} when idle"] = _memory() - before
        began = process_time()
        for n in range(size):
            await system.publish(f"topic.{n}", PAYLOAD)
        found["publish"] = process_time() - began
        began = process_time()
        received = [await anext(aiter(listener)) for listener in listeners]
        found["receive"] = process_time() - began
        check_count("messages received", len(received), size)
        began = process_time()
        await stack.aclose()
        found["end"] = process_time() - began
    return {name: each / size for name, each in found.items()}


async def messages(size: int) -> Figures:
    """Messages to one Python actor, in bursts."""
    handled = 0

    def handle(_: object, __: Envelope) -> None:
        nonlocal handled
        handled += 1

    async with open_system(blueprint(actor("one", handle))) as system:
        gc.collect()
        before, began = _memory(), process_time()
        sent = 0
        while sent < size:
            burst = min(_BURST, size - sent)
            sent += burst
            for _ in range(burst):
                system.tell("one", PAYLOAD)
            while handled < sent:
                await trio.lowlevel.checkpoint()
        took = process_time() - began
        check_count("messages handled", handled, size)
        grown = _memory() - before
    return {"message": took / size, f"{BYTES} that stay": grown / size}


POPULATIONS: Final[dict[str, tuple[int, Population]]] = {
    "actors": (100_000, actors),
    "components": (10_000, components),
    "pooled": (4_096, pooled),
    "topics": (100_000, topics),
    "messages": (10_000_000, messages),
}
"""By name, how many there are at most, and what measures them. 30,000 pooled components are
wanted; `EngineSettings.pooled_instances` allows 4,096, because each takes about 14 GiB of the
128 TiB of addresses that a process has."""
