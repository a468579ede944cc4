"""Spawn to ready of a component actor, and crash to next answer.

Compared in one run, with the component compiled and the linker warm each time:

* fiber instantiation: a store and an instance in it, polled to its end; functions are
  not looked up, nothing is initialized;
* spawn to ready: a system with a number of actors of that component under one supervisor,
  from entering `open_system` to its body, divided by their number;
* crash to next answer: from the `tell` that makes an actor trap to the answer of an ask
  sent right after it, which a fresh instance gives. The warning about each crash is not
  logged: it is not read here, and writing it takes as long as the terminal likes.
"""

from __future__ import annotations

import logging
import math
from time import perf_counter
from typing import TYPE_CHECKING, Final

import pyperf
import trio
from measuring.engine_room import RawInstances
from measuring.guests import guest_file, lend, open_shop
from measuring.ratios import bench, check_count, report_medians

from airssys.contracts import NO_BACKOFF
from airssys.dsl import blueprint, component
from airssys.system import System, open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint

_GUEST: Final = "fragile"
_UNLIMITED: Final = 1_000_000_000
_SHORT: Final = 1e-3
"""The period of the restart intensity, so that its record stays small."""
_NOTED: Final = 0.05
"""Seconds within which a supervisor has noted that its child is ready again."""


def _actors(count: int) -> Blueprint:
    code = guest_file(_GUEST)
    actors = (component(f"actor-{n}", code, backoff=NO_BACKOFF) for n in range(count))
    return blueprint(*actors, restarts=_UNLIMITED, period=_SHORT, restart_budget=None)


async def _time_instances(loops: int) -> float:
    async with open_shop(_GUEST) as shop:
        instances = RawInstances(shop.component)
        try:
            took, stand = instances.make(loops)
            check_count("instances", stand, loops)
            return took
        finally:
            instances.close()


async def _time_spawns(loops: int) -> float:
    async with open_shop(_GUEST) as shop:
        opening = open_system(_actors(loops), open_loader=lambda _: lend(shop.loader))
        began = perf_counter()
        async with opening as system:
            took = perf_counter() - began
            ready = sum(node.state == "running" for node in system.tree().children)
            check_count("actors that are ready", ready, loops)
            return took


async def _crash(system: System) -> bool:
    """Crash the actor; returns whether a fresh instance answered."""
    system.tell("actor-0", b"boom")
    return await system.ask("actor-0", b"", timeout=math.inf) == b"1"


async def _time_crashes(loops: int) -> float:
    logging.getLogger("airssys").setLevel(logging.ERROR)
    async with open_system(_actors(1)) as system:
        await _crash(system)
        answered = 0
        began = perf_counter()
        for _ in range(loops):
            answered += await _crash(system)
        took = perf_counter() - began
        check_count("answers of fresh instances", answered, loops)
        await trio.sleep(_NOTED)
        check_count("restarts", system.tree().children[0].restarts, loops + 1)
        return took


def main() -> None:
    """Measure, compare, judge."""
    medians = bench(
        pyperf.Runner(processes=10),
        {
            "fiber instantiation": lambda loops: trio.run(_time_instances, loops),
            "spawn to ready": lambda loops: trio.run(_time_spawns, loops),
            "crash to next answer": lambda loops: trio.run(_time_crashes, loops),
        },
    )
    if medians is None:
        return
    report = report_medians("a component actor, from nothing to its answer", medians)
    report.ratio("spawn to ready", "fiber instantiation", at_most=5)
    report.ratio("crash to next answer", "spawn to ready", at_most=2)
    report.finish()


if __name__ == "__main__":
    main()
