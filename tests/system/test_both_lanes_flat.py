"""Actors of both lanes in one program that crash, are replaced and are saved, for long.

After some rounds, what follows must do with what is there: as many objects of each class
of airssys (instances, stores, handle tables, snapshots), and as many descriptors and memory
maps. What one round leaves behind is there `rounds` times in the end.
"""

import gc
import logging
import math
import sys
from collections import Counter
from pathlib import Path

import pytest

from airssys import Done, EngineSettings, blueprint, component, open_system
from airssys.contracts import Artifact, ChildStarted
from airssys.testing import wait_until_idle
from airssys.wasm import Snapshot
from airssys.wasm.fallback import Store
from airssys.wasm.lane.core import CoreStore
from wasm_support import GUESTS, process_memory, whole_only

CODES = {
    "apart": Artifact.from_text((GUESTS / "fragile.wat").read_text(), "apart"),
    "whole": whole_only("fragile"),
}
STORES = CoreStore, Store
SAVED = {
    "start_from": "snapshot",
    "checkpoint_every": {"messages": 1},
    "restart_from": "checkpoint",
}
OPTIONS = {"apart": SAVED, "whole": {}}
ROOM = 2 * 1024 * 1024
"""Bytes by which memory may differ: an allocator keeps some of what was freed."""


def tree():
    return blueprint(
        *(
            component(name, code, backoff={"first": 0}, **OPTIONS[name])
            for name, code in CODES.items()
        ),
        engine=EngineSettings(lane="own"),
        restarts=1_000_000,
        restart_budget=None,
    )


async def count(system, name, times):
    for _ in range(times):
        # Without a deadline: the alarm keeps those of asks that are over for a while.
        answer = await system.ask(name, b"", timeout=math.inf)
    await wait_until_idle()
    return int(answer)


async def crash(system, events, name):
    system.tell(name, b"boom")
    async for event in events:
        if isinstance(event, ChildStarted):
            return


async def play(system, events):
    """One round: each is saved, crashes, continues or not, and is replaced."""
    for name, code in CODES.items():
        before = await count(system, name, 2)
        await crash(system, events, name)
        after = await count(system, name, 1)
        assert after == (before + 1 if OPTIONS[name] else 1)
        assert isinstance(await system.replace(name, code), Done)
        assert await count(system, name, 1) == (after + 1 if OPTIONS[name] else 1)


def objects():
    """How many objects there are of each class of airssys."""
    gc.collect()
    kinds = Counter(
        map(type, gc.get_objects())
    )  # other tests' too, some without a module
    return Counter(
        {k: n for k, n in kinds.items() if str(k.__module__).startswith("airssys.")}
    )


def files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def maps():
    return len(Path("/proc/self/maps").read_text().splitlines())


async def use(system, events, rounds):
    """Play; returns what there is then, at the round in which there was least memory."""
    least = math.inf
    for _ in range(rounds):
        await play(system, events)
        least = min(least, process_memory())
    return objects(), files(), maps(), least


async def run(cache, rounds):
    """See that as many rounds again leave nothing more behind; returns the memory taken."""
    async with open_system(tree(), cache_directory=cache) as system:
        events = system.events()
        await use(system, events, 2 + rounds // 4)
        found, opened, mapped, least = await use(system, events, rounds)
        for kind in (*STORES, Snapshot):
            assert found[kind] > 0
        then, still_opened, still_mapped, least_then = await use(system, events, rounds)
        more = {kind: n for kind, n in (then - found).items() if n >= rounds}
        assert not more
        assert still_opened - opened < rounds
        assert still_mapped - mapped < rounds
        return least_then - least


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is read")


async def test_both_lanes_leave_nothing_behind_in_a_program(tmp_path):
    await run(tmp_path / "cache", 3)


@pytest.mark.slow
async def test_both_lanes_take_no_more_memory_after_a_while(tmp_path, caplog):
    # Each crash is logged, and pytest keeps all lines.
    caplog.set_level(logging.CRITICAL, "airssys")
    assert await run(tmp_path / "cache", 300) < ROOM
