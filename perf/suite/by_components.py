"""The cases of component actors, against bare instances of the same component."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
from measuring.engine_room import RawInstances
from measuring.guests import MESSAGE, PAYLOAD, guest_file, lend, open_shop
from measuring.ratios import check_count

from airssys.dsl import blueprint, component
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from perf.suite.timing import Measure

_GUEST: Final = "fragile"
_BURST: Final = 250
_WARM: Final = 100


@asynccontextmanager
async def bare_calls() -> AsyncIterator[Measure]:
    """Calls of an echo, with a message that has every field set, and nothing around."""
    async with open_shop("echo") as shop:
        guest = await shop.guest()

        async def call(count: int) -> float:
            answered = 0
            began = perf_counter()
            for _ in range(count):
                answered += await guest.handle_message(MESSAGE) == PAYLOAD
            took = perf_counter() - began
            check_count("answers", answered, count)
            return took

        await call(_WARM)
        yield call


@asynccontextmanager
async def ask() -> AsyncIterator[Measure]:
    """Ask an idle echo, one question after the other."""
    async with open_system(blueprint(component("one", guest_file("echo")))) as system:

        async def questions(count: int) -> float:
            answered = 0
            began = perf_counter()
            for _ in range(count):
                answered += await system.ask("one", PAYLOAD) == PAYLOAD
            took = perf_counter() - began
            check_count("answers", answered, count)
            return took

        await questions(_WARM)
        yield questions


@asynccontextmanager
async def tell() -> AsyncIterator[Measure]:
    """Tell an echo, in bursts that its mailbox holds, until all is handled."""
    async with open_system(blueprint(component("one", guest_file("echo")))) as system:

        async def send(count: int) -> float:
            handled = system.mailbox("one").handled
            began = perf_counter()
            for done in range(0, count, _BURST):
                sent = min(count, done + _BURST)
                for _ in range(sent - done):
                    system.tell("one", PAYLOAD)
                while system.mailbox("one").handled < handled + sent:
                    await trio.lowlevel.checkpoint()
            took = perf_counter() - began
            now = system.mailbox("one").handled
            check_count("messages handled", now - handled, count)
            return took

        await send(_WARM)
        yield send


@asynccontextmanager
async def bare_instances() -> AsyncIterator[Measure]:
    """A store and an instance in it; no functions looked up, nothing initialized."""
    async with open_shop(_GUEST) as shop:

        async def make(count: int) -> float:
            instances = RawInstances(shop.component)
            try:
                took, stand = instances.make(count)
                check_count("instances", stand, count)
                return took
            finally:
                instances.close()

        yield make


@asynccontextmanager
async def spawn() -> AsyncIterator[Measure]:
    """Open a system of that many actors of one component, compiled before."""
    async with open_shop(_GUEST) as shop:

        async def spawn_all(count: int) -> float:
            code = guest_file(_GUEST)
            tree = blueprint(*(component(f"a-{n}", code) for n in range(count)))
            began = perf_counter()
            async with open_system(
                tree, open_loader=lambda _: lend(shop.loader)
            ) as system:
                took = perf_counter() - began
                active = system.supervisor("root").count_children().active
                check_count("actors that run", active, count)
            return took

        yield spawn_all
