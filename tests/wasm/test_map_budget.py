"""The kernel's limit on memory maps is a refusal in time, never a crash."""

import math
import sys

import pytest
import trio
import trio.testing

from airssys.contracts import Artifact, CapacityReached
from airssys.wasm.instances import _map_budget
from airssys.wasm.instances._map_budget import MapBudget, count_maps, kernel_limit
from airssys.wasm.loading._any_instance import load_any
from wasm_support import envelope, open_guests

LIMIT = 10_000


class Kernel:
    """A process with that many maps, which counts how often it is asked."""

    def __init__(self, maps=100):
        self.maps = maps
        self.counts = 0

    def count(self):
        self.counts += 1
        return self.maps


@pytest.fixture
def clock(monkeypatch):
    """Real time, moved by hand."""
    times = [1000.0]
    monkeypatch.setattr(_map_budget.time, "monotonic", lambda: times[0])
    return times


def begin(budget, maps=6):
    budget.check(maps)
    budget.take(maps)


def test_far_from_the_limit_maps_are_counted_rarely(clock):
    kernel = Kernel()
    budget = MapBudget(LIMIT, kernel.count)
    for _ in range(1000):
        begin(budget)
        kernel.maps += 2
    assert kernel.counts == 1


def test_what_ends_is_given_back(clock):
    kernel = Kernel()
    budget = MapBudget(LIMIT, kernel.count)
    for _ in range(50_000):
        begin(budget)
        budget.give_back(6)
    assert kernel.counts == 1


@pytest.mark.parametrize("maps_each", [1, 2, 6])
def test_it_refuses_before_the_limit_and_not_long_before(clock, maps_each):
    kernel = Kernel()
    budget = MapBudget(LIMIT, kernel.count)

    def fill():
        while True:
            begin(budget)
            kernel.maps += maps_each
            clock[0] += 1.0

    with pytest.raises(CapacityReached, match=r"limit of 10000 memory maps"):
        fill()
    left = LIMIT - kernel.maps
    assert 1_000 < left < 3_000
    assert kernel.counts < 60


def test_what_has_many_maps_is_refused_where_what_has_few_is_not(clock):
    budget = MapBudget(LIMIT, Kernel(LIMIT - 3_000).count)
    begin(budget)
    with pytest.raises(CapacityReached, match=r"needs up to 1816"):
        begin(budget, 1816)
    begin(budget, 900)
    with pytest.raises(CapacityReached):
        begin(budget, 900)


def test_the_refusal_says_what_to_do(clock):
    budget = MapBudget(LIMIT, Kernel(LIMIT - 100).count)
    with pytest.raises(CapacityReached, match=r"vm\.max_map_count.*fewer actors"):
        begin(budget)


def test_at_the_limit_maps_are_not_counted_for_each_refusal(clock):
    kernel = Kernel(LIMIT)
    budget = MapBudget(LIMIT, kernel.count)
    for _ in range(100):
        with pytest.raises(CapacityReached):
            begin(budget)
    assert kernel.counts == 1
    clock[0] += 1.0
    with pytest.raises(CapacityReached):
        begin(budget)
    assert kernel.counts == 2


def test_it_works_again_when_there_is_room_again(clock):
    kernel = Kernel(LIMIT)
    budget = MapBudget(LIMIT, kernel.count)
    with pytest.raises(CapacityReached):
        begin(budget)
    kernel.maps = 100
    clock[0] += 1.0
    begin(budget)


def test_where_no_limit_is_known_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(_map_budget, "_LIMIT", tmp_path / "none")
    assert kernel_limit() is None
    kernel = Kernel(10**9)
    budget = MapBudget(None, kernel.count)
    begin(budget)
    assert budget.fit == sys.maxsize - 6
    assert kernel.counts == 0


def test_a_limit_that_is_not_a_number_is_none(monkeypatch, tmp_path):
    path = tmp_path / "limit"
    path.write_text("many")
    monkeypatch.setattr(_map_budget, "_LIMIT", path)
    assert kernel_limit() is None


@pytest.mark.skipif(kernel_limit() is None, reason="this system tells no limit")
def test_the_maps_of_this_process_are_counted():
    maps = _map_budget._MAPS.read_text().count("\n")
    assert abs(count_maps() - maps) < 50
    assert count_maps() < kernel_limit()


async def test_a_refusal_makes_no_guest_and_costs_no_guest(guests):
    guest = await guests.start("echo")
    guests.runtime.maps.fit = 0
    guests.runtime.maps._limit = 1
    guests.runtime.maps._counted_at = -1e9
    with pytest.raises(CapacityReached):
        await guests.make("echo")
    assert await guest.handle_message(envelope(b"x")) == b"x"
    guests.runtime.maps.fit = 60
    await guests.make("echo")


@pytest.mark.skipif(kernel_limit() is None, reason="this system tells no limit")
@pytest.mark.parametrize(
    "content",
    [
        "",
        "(memory 1)",
        "(memory 0)" * 90,
        "(memory 2 9)" * 90,
        "(table 1000 funcref)" * 90,
        "(table 90000 funcref)",
        "(memory 1)" + "(global i64 (i64.const 1))" * 90_000,
    ],
    ids=["empty", "memory", "memories", "filled", "tables", "table", "globals"],
)
async def test_an_instance_takes_no_more_maps_than_are_counted(guests, content):
    wat = f"(component (core module $m {content}) (core instance (instantiate $m)))"
    component = await load_any(guests.loader, Artifact.from_text(wat), ())
    guests.started.append(await component.instantiate())
    before, many = count_maps(), 10
    for _ in range(many):
        guests.started.append(await component.instantiate())
    assert count_maps() - before <= component.code.maps * many


async def test_an_instance_of_many_memories_is_refused_in_time(guests):
    wat = (
        f"(component (core module $m {'(memory 0)' * 100})"
        + " (core instance (instantiate $m))" * 3
        + ")"
    )
    component = await load_any(guests.loader, Artifact.from_text(wat), ())
    maps = guests.runtime.maps
    maps.fit, maps._limit, maps._counted_at = 600, 1, math.inf
    with pytest.raises(CapacityReached, match="needs up to 903"):
        await component.instantiate()
    echo = await guests.make("echo")
    assert maps.fit == 600 - echo._code.maps


async def test_what_is_closed_or_ends_is_given_back(guests):
    maps = guests.runtime.maps
    await guests.start("echo")
    before = maps.fit
    with pytest.raises(Exception, match="unreachable"):
        await guests.make("trap-unreachable-start")
    sleeper = await guests.start("sleep")
    for _ in range(3):
        await sleeper.handle_message(envelope(b"1"))
    with trio.move_on_after(0.005):
        await sleeper.handle_message(envelope(b"1000"))
    sleeper.close()
    sleeper.close()
    assert maps.fit == before


async def test_a_suspended_call_takes_no_maps(guests):
    """Its stack is the one that the store kept from the call before."""
    sleepers = await guests.many(50, "sleep")
    before = count_maps()
    async with trio.open_nursery() as nursery:
        for guest in sleepers:
            nursery.start_soon(guest.handle_message, envelope(b"1000000"))
        await trio.testing.wait_all_tasks_blocked()
        assert count_maps() - before < len(sleepers)
        nursery.cancel_scope.cancel()


# -- for real, which takes gigabytes of address space and some seconds

needs_limit = pytest.mark.skipif(
    (kernel_limit() or sys.maxsize) > 100_000, reason="the limit is too far away"
)


def most_instances(guests):
    """How many there must be room for: an instance has five maps, two for its stack and
    three for its memory. On the lane "own" it may have one fewer."""
    return {"own": 12_000, "wasmtime": 10_000}[guests.runtime.settings.lane]


@pytest.mark.slow
@needs_limit
async def test_instances_up_to_the_limit(compiled):
    async with open_guests(compiled) as guests:
        keeper = await guests.start("state")
        with pytest.raises(CapacityReached, match=r"vm\.max_map_count"):
            await guests.many(sys.maxsize, "echo")
        made = len(guests.started)
        assert made > most_instances(guests)
        assert kernel_limit() - count_maps() > 1_000
        answers = [await guests.started[at].health() for at in (1, made // 2, -1)]
        assert len(answers) == 3
        guests.started.remove(keeper)
        guests.close()
        await trio.sleep(0.2)
        await guests.start("echo")
        assert await keeper.handle_message(envelope()) == b"1"
        keeper.close()


@pytest.mark.slow
@needs_limit
async def test_suspended_calls_up_to_the_limit(compiled):
    async with open_guests(compiled) as guests:
        keeper = await guests.start("state")

        async def fill(nursery):
            while True:
                guest = await guests.start("sleep")
                nursery.start_soon(guest.handle_message, envelope(b"3600000"))
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            with pytest.raises(CapacityReached, match=r"vm\.max_map_count"):
                await fill(nursery)
            assert len(guests.started) > most_instances(guests)
            assert kernel_limit() - count_maps() > 1_000
            assert await keeper.handle_message(envelope()) == b"1"
            nursery.cancel_scope.cancel()
        guests.started.remove(keeper)
        guests.close()
        await trio.sleep(0.2)
        await guests.start("echo")
        assert await keeper.handle_message(envelope()) == b"2"
        keeper.close()
