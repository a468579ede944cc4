"""Every port has one conformance check; what is real passes it, and so does the fake."""

import os
import time
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio

from airssys import open_system
from airssys.contracts import Artifact, EngineSettings, StorageRefused
from airssys.dsl import actor, blueprint
from airssys.storage import MemoryStorage
from airssys.system.events._event_fanout import EventFanout
from airssys.testing import (
    LOADER_QUESTIONS,
    SERVICES_QUESTIONS,
    STORAGE_QUESTIONS,
    EventList,
    FakeKeyspace,
    FakeLoader,
    FakeServices,
    FakeStorage,
    HandWallClock,
    ManualTicks,
    SeededRandomness,
    Stand,
    examine_event_sink,
    examine_loaders,
    examine_randomness,
    examine_services,
    examine_storages,
    examine_ticks,
    examine_wall_clock,
)
from airssys.wasm import open_runtime
from airssys.wasm.engine._ticker import Ticker
from pace import PATIENCE
from tests.nursery.company import ARTIFACT, component
from wasm_support import GUESTS

# ------------------------------------------------------------------- services


async def echo(payload):
    return payload


async def never(payload):
    await trio.sleep_forever()


async def echoing(context, envelope):
    return envelope.payload


async def silent(context, envelope):
    await trio.sleep_forever()


@asynccontextmanager
async def a_system():
    """Services as the system makes them, for a component that notes what it gets."""
    loader = FakeLoader()
    actors = actor("echo", echoing), actor("silent", silent, shutdown=0)
    tree = blueprint(*actors, component("examinee"))
    async with open_system(tree, open_loader=loader):
        (guest,) = loader.components[ARTIFACT].guests
        yield Stand(guest.services, guest.received)


@asynccontextmanager
async def a_fake():
    neighbours = {"echo": echo, "silent": never}
    async with FakeServices("examinee", neighbours=neighbours) as services:
        yield Stand(services, services.received)


@pytest.mark.parametrize("question", SERVICES_QUESTIONS)
@pytest.mark.parametrize("open_stand", [a_system, a_fake])
async def test_services(open_stand, question, autojump_clock):
    async with open_stand() as stand:
        await question(stand)


async def test_the_conformance_check_of_services_finds_what_is_wrong(autojump_clock):
    await examine_services(a_fake)

    @asynccontextmanager
    async def deaf():
        async with FakeServices("examinee", neighbours={"echo": echo}) as services:
            yield Stand(services, services.received)

    with pytest.raises(AssertionError) as caught:
        await examine_services(deaf)
    assert caught.value.__notes__ == ["it_knows_its_name_and_its_neighbours"]


# --------------------------------------------------------------------- stores


@pytest.mark.parametrize("question", STORAGE_QUESTIONS)
@pytest.mark.parametrize("make", [MemoryStorage, FakeStorage])
def test_stores(make, question):
    question(make())


def test_the_conformance_check_of_stores_finds_what_is_wrong(monkeypatch):
    examine_storages(FakeStorage)
    monkeypatch.setattr(FakeKeyspace, "exists", lambda self, key: True)
    with pytest.raises(AssertionError) as caught:
        examine_storages(FakeStorage)
    assert caught.value.__notes__ == ["what_is_kept_is_found_again"]


def test_a_broken_store_fails_at_every_call():
    store = FakeStorage()
    keyspace = store.keyspace("me", max_bytes=10, max_keys=1)
    store.is_broken = True
    acts = [
        partial(keyspace.get, "k"),
        partial(keyspace.set, "k", b""),
        partial(keyspace.delete, "k"),
        partial(keyspace.exists, "k"),
        partial(keyspace.keys, None),
        keyspace.usage,
    ]
    for act in acts:
        with pytest.raises(StorageRefused, match="io-error"):
            act()


# -------------------------------------------------------------------- loaders

GOOD, BAD = Artifact.at(GUESTS / "echo.wat"), Artifact.from_text("(nonsense)", "bad")


def a_fake_loader():
    return FakeLoader(refused={BAD})


def a_real_loader():
    return open_runtime(EngineSettings())


@pytest.mark.parametrize("question", LOADER_QUESTIONS)
@pytest.mark.parametrize("open_loader", [a_real_loader, a_fake_loader])
async def test_loaders(open_loader, question):
    async with open_loader() as loader:
        await question(loader, GOOD, BAD)


async def test_the_conformance_check_of_loaders_finds_what_is_wrong():
    await examine_loaders(a_fake_loader, good=GOOD, bad=BAD)
    with pytest.raises(AssertionError) as caught:
        await examine_loaders(FakeLoader, good=GOOD, bad=BAD)
    (note,) = caught.value.__notes__
    assert note == "what_cannot_be_run_is_refused_and_the_rest_goes_on"


# ------------------------------------------------------------ the small ports


@pytest.mark.parametrize("clock", [time.time_ns, HandWallClock()])
def test_wall_clocks(clock):
    examine_wall_clock(clock)


def test_a_wall_clock_is_moved_by_hand():
    clock = HandWallClock(5.0)
    clock.move(0.5)
    assert clock() == 5_500_000_000
    clock.move(-1)
    assert clock() == 4_500_000_000
    with pytest.raises(AssertionError):
        examine_wall_clock(HandWallClock(-1))


@pytest.mark.parametrize("randomness", [os.urandom, SeededRandomness()])
def test_randomness(randomness):
    examine_randomness(randomness)


def test_the_same_seed_gives_the_same_bytes():
    assert SeededRandomness(7)(9) == SeededRandomness(7)(9) != SeededRandomness(8)(9)
    with pytest.raises(AssertionError):
        examine_randomness(bytes)


def test_event_sinks():
    events = EventList()
    examine_event_sink(events, lambda: list(events))
    fanout = EventFanout()
    stream = fanout.listen(1000)
    examine_event_sink(fanout.emit, partial(drained, stream))
    with pytest.raises(AssertionError):
        examine_event_sink(EventList(), list)


def drained(stream):
    seen = []
    with suppress(trio.WouldBlock):
        while True:
            seen.append(stream.next_nowait())
    return seen


def wait_for_a_tick(ticks, count):
    end = time.monotonic() + PATIENCE
    before = count()
    while count() == before and time.monotonic() < end:
        time.sleep(0.0005)  # noqa: TID251  # the ticker keeps real time


def by_hand(*given):
    """Make ticks as a runtime does; one `ManualTicks` is for one of them."""
    return ManualTicks()(*given)


def test_ticks():
    examine_ticks(Ticker, wait_for_a_tick)
    examine_ticks(by_hand, lambda ticks, count: ticks.tick())
    with pytest.raises(AssertionError):
        examine_ticks(by_hand, lambda ticks, count: None)
