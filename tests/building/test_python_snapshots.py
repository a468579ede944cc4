"""Snapshots of a Python guest: 13.8 MB of memory, tables of 5,800 functions."""

import faulthandler
import time

import pytest
import trio

from airssys.building import build
from airssys.contracts import Artifact, ComponentConfig, Limits
from wasm_support import ScriptedServices, answer_elsewhere, envelope, open_guests

from .conftest import GUESTS, make_private

pytestmark = pytest.mark.slow
CONFIG = ComponentConfig()
LIMITS = Limits()


@pytest.fixture(scope="module")
def keeper(built_before):
    """The path of a guest that counts; it is compiled for the own lane."""
    pytest.importorskip("componentize_py")
    faulthandler.cancel_dump_traceback_later()
    path = build(GUESTS / "keeper.py", cache_directory=built_before).path
    trio.run(compile_apart, path)
    return path


async def compile_apart(path):
    async with open_guests(make_private("compiled"), lane="own") as guests:
        await guests.loader.load(Artifact.at(path))


@pytest.fixture
async def counting(keeper):
    async with open_guests(make_private("compiled"), lane="own") as guests:
        component = await guests.loader.load(Artifact.at(keeper))
        assert component.code.core is not None
        yield guests, component


async def start(guests, component, snapshot=None):
    services = ScriptedServices()
    if snapshot is None:
        guest = await component.instantiate(LIMITS, services)
        await guest.initialize(CONFIG)
    else:
        guest = await component.restore(snapshot, LIMITS, services)
    guests.started.append(guest)
    return guest


async def count(guest, times=1):
    for _ in range(times):
        answer = await guest.handle_message(envelope())
    return int(answer)


async def test_another_instance_counts_on(counting):
    guests, component = counting
    first = await start(guests, component)
    assert await count(first, 41) == 41
    snapshot = await first.snapshot()
    second = await start(guests, component, snapshot)
    assert await count(second) == 42
    assert await count(first) == 42
    # What a message changes, and not all of its memory.
    assert snapshot.size < 2_000_000
    written = snapshot.to_bytes()
    assert len(written) < snapshot.size * 0.6
    assert await count(await start(guests, component, written)) == 42


async def test_it_counts_on_in_another_process(counting, keeper, tmp_path):
    guest = await start(*counting)
    assert await count(guest, 41) == 41
    snapshot, cache = await guest.snapshot(), make_private("compiled")
    assert await answer_elsewhere(keeper, snapshot, tmp_path, cache) == "42"


async def test_it_starts_from_its_state_after_initialize(counting):
    guests, component = counting
    snapshot = await component.initial_snapshot(CONFIG)
    times = {}
    for name, saved in (("code", None), ("snapshot", snapshot)) * 3:
        began = time.process_time()
        guest = await start(guests, component, saved)
        taken = time.process_time() - began
        times[name] = min(times.get(name, 9.0), taken)
        assert await count(guest, 2) == 2
    assert times["snapshot"] < times["code"]


async def test_taking_one_lets_others_go_on(counting):
    guests, component = counting
    guest = await start(guests, component)
    await count(guest)
    await guest.snapshot()  # afterwards there is something to compare with
    longest = 0.0

    async def beat():
        nonlocal longest
        while True:
            began = time.thread_time()
            await trio.lowlevel.checkpoint()
            longest = max(longest, time.thread_time() - began)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat)
        await guest.snapshot()
        nursery.cancel_scope.cancel()
    # Of this thread's own time: a pass has at most a part of a tick of it.
    assert longest < 0.005
