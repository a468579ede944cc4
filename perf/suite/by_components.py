"""The cases of component actors, against bare instances of the same component."""

from __future__ import annotations

from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Final

from measuring.engine_room import RawInstances
from measuring.guests import guest_file, lend, open_shop
from measuring.ratios import check_count

from airssys.dsl import blueprint, component
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from perf.suite.timing import Measure

_GUEST: Final = "fragile"


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
