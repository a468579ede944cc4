"""Real guests that continue from snapshots, in a system that is declared in the DSL."""

from pathlib import Path

import pytest
import trio

from airssys import (
    Done,
    EngineSettings,
    SnapshotFailed,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import Artifact, ChildStarted
from airssys.testing import wait_until_idle
from wasm_support import whole_only

GUESTS = Path(__file__).resolve().parents[1] / "guests"
OWN = EngineSettings(lane="own")


def guest(name="fragile", **options):
    return component("c", str(GUESTS / f"{name}.wat"), **options)


def saved(**options):
    return guest(checkpoint_every={"messages": 2}, restart_from="checkpoint", **options)


async def count(system, times=1):
    for _ in range(times):
        answer = await system.ask("c", b"", timeout=10)
    return int(answer)


async def crash(system, events):
    system.tell("c", b"boom")
    async for event in events:
        if isinstance(event, ChildStarted):
            return


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


async def test_a_guest_continues_from_its_checkpoint(cache):
    tree = blueprint(saved(backoff={"first": 0}), engine=OWN)
    async with open_system(tree, cache_directory=cache) as system:
        events = system.events()
        assert await count(system, 2) == 2
        await wait_until_idle()  # it is saved when it is idle
        assert await count(system) == 3
        await crash(system, events)
        assert await count(system) == 3
        await crash(system, events)
        assert await count(system) == 1


async def test_a_guest_starts_from_its_state_after_initialize(cache):
    tree = blueprint(guest(start_from="snapshot", backoff={"first": 0}), engine=OWN)
    for _ in range(2):
        opening = open_system(tree, cache_directory=cache)
        failures = opening.listen()
        async with opening as system:
            events = system.events()
            assert await count(system, 2) == 2
            await crash(system, events)
            assert await count(system) == 1
        assert [e for e in seen(failures) if isinstance(e, SnapshotFailed)] == []
    assert len(list(cache.glob("*.state"))) == 1


def seen(stream):
    found = []
    while True:
        try:
            found.append(stream.next_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return found


async def test_the_same_code_continues_when_it_is_replaced(cache):
    code = (GUESTS / "fragile.wat").read_text()
    tree = blueprint(saved(), engine=OWN)
    async with open_system(tree, cache_directory=cache) as system:
        assert await count(system, 3) == 3
        # Equal bytes, but not the same artifact.
        same = Artifact.from_text(code, "another name")
        assert isinstance(await system.replace("c", same), Done)
        assert await count(system) == 4


async def test_a_guest_that_cannot_be_taken_apart_says_so_and_starts(cache):
    code = whole_only("state")
    tree = blueprint(component("c", code, start_from="snapshot"), engine=OWN)
    opening = open_system(tree, cache_directory=cache)
    events = opening.listen()
    async with opening as system:
        assert await count(system) == 1
    (failed,) = [e for e in seen(events) if isinstance(e, SnapshotFailed)]
    assert failed.use == "start"
    assert "whole" in str(failed.error)
