"""Guests that treat resources of WASI badly: in every order, without end, or not at all."""

import itertools

import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.security import stdout
from airssys.testing import FakeServices
from pace import Stopwatch
from wasm_support import envelope, open_guests, steps, torture_guest

GUEST = Artifact.from_text(torture_guest(), "torture")
MAKE = [
    ("out", 0),
    ("sub-out", 1, 0),
    ("sub-out", 2, 0),
    ("in", 3),
    ("sub-in", 4, 3),
]
DROPS = {
    "out": ("drop-out", 0),
    "out's 1": ("drop-pollable", 1),
    "out's 2": ("drop-pollable", 2),
    "in": ("drop-in", 3),
    "in's": ("drop-pollable", 4),
}


@pytest.fixture(params=["own", "wasmtime"])
async def start(request):
    """Start guests of one runtime."""
    async with open_guests(lane=request.param) as guests:
        component = await guests.loader.load(GUEST)

        async def make(**limits):
            guest = await component.instantiate(
                Limits(**limits), FakeServices(can=[stdout()])
            )
            guests.started.append(guest)
            await guest.initialize(ComponentConfig())
            return guest

        yield make


async def do(guest, *given):
    message = steps(*given)
    assert await guest.handle_message(envelope(message)) == message


async def reason(guest, *given):
    with pytest.raises(GuestTrapped) as caught:
        await do(guest, *given)
    return caught.value.reason


async def test_resources_are_dropped_in_every_order(start):
    """What has children is not dropped before them; every other order is fine."""
    guest = await start(execution_time=60)
    for order in itertools.permutations(DROPS):
        drops = [DROPS[name] for name in order]
        early = order.index("out") < max(map(order.index, ("out's 1", "out's 2")))
        early = early or order.index("in") < order.index("in's")
        if not early:
            # Ten times: what was not counted back would be too much in the end.
            await do(guest, *[*MAKE, *drops] * 10)
            continue
        assert await reason(guest, *MAKE, *drops) is TrapReason.OTHER
        guest.close()
        guest = await start(execution_time=60)


async def test_what_is_never_dropped_read_or_written_ends_with_the_instance(start):
    for _ in range(5):
        guest = await start()
        await do(guest, *MAKE, ("never", 5), ("timer", 6))
        guest.close()


@pytest.mark.parametrize("kind", ["timer", "never", "out", "in", "sub-out", "sub-in"])
async def test_no_kind_of_resource_is_made_without_end(start, kind):
    guest = await start(execution_time=60)
    await do(guest, ("out", 0), ("in", 1))
    place = 0 if kind == "sub-out" else 1
    found = await reason(guest, (kind, 9, place), ("again",))
    assert found is TrapReason.HOST_ALLOCATION_LIMIT


@pytest.mark.parametrize(
    "flood",
    [
        [("flood", 0), ("again",)],
        [("poll", 0, 1), ("again",)],
        [("check", 1), ("again",)],
        [("read", 2, 1), ("again",)],
        [("sub-out", 9, 1), ("drop-pollable", 9), ("again",)],
    ],
    ids=["700 at once", "poll", "check-write", "read", "subscribe and drop"],
)
async def test_a_flood_of_calls_is_execution_time_and_lets_others_run(start, flood):
    # More than once, because a machine may also stop for as long as a guest has.
    for _ in range(5):
        beats, expected = await beats_beside(start, flood)
        if beats >= expected:
            return
    pytest.fail(f"{beats} beats, not {expected}")


async def beats_beside(start, flood):
    """Return how often a task of 5 ms ran, and how often at least it should have."""
    guest = await start(execution_time=0.1)
    await do(guest, ("timer", 0), ("out", 1), ("in", 2))
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await trio.sleep(0.005)
            beats += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat)
        watch = Stopwatch()
        assert await reason(guest, *flood) is TrapReason.TIME_LIMIT
        expected = int(watch.seconds() / 0.03)  # a third of those that are due
        nursery.cancel_scope.cancel()
    return beats, expected


async def test_one_handle_may_be_polled_many_times_at_once(start, autojump_clock):
    guest = await start()
    await do(guest, ("never", 0), ("timer", 1))
    await do(guest, ("poll", 0, 2))
    with trio.move_on_after(3600) as scope:
        await do(guest, ("flood", 0))
    assert scope.cancelled_caught
    assert guest.spent.reason is TrapReason.CANCELLED


async def test_bytes_beyond_its_memory_are_not_read(start):
    guest = await start()
    await do(guest, ("out", 0), ("check", 0), ("write", 0, 1))
    assert await reason(guest, ("write", 0, 255)) is TrapReason.BAD_VALUE


@pytest.mark.parametrize(
    "step", ["poll", "block", "check", "read", "drop-out", "sub-in"]
)
async def test_a_handle_that_was_dropped_cannot_be_used(start, step):
    guest = await start()
    await do(guest, ("timer", 0), ("drop-pollable", 0))
    found = await reason(guest, (step, 0, 1 if step == "poll" else 0))
    assert found is TrapReason.BAD_VALUE
