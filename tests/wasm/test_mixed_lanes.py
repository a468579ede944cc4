"""Both lanes side by side in one process, for long: nothing is left, whatever happens.

Each round makes guests on either lane that answer, call the host, trap, spin until they
are dropped, and have large messages moved by workers. After some rounds the same memory
and the same memory maps must do for all that follow.
"""

import gc
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.testing import FakeServices
from airssys.wasm import FunctionKind, HostFunction, HostInterface
from airssys.wasm.lane.core import CoreStore
from wasm_support import envelope, open_guests, process_memory, shop_guest

LANES = ("own", "wasmtime")
ROOM = 2 * 1024 * 1024
"""Bytes that what is kept between two rounds may differ in."""
READINGS = 8
"""Of which the least counts: an allocator keeps up to 12 MiB of what was freed."""
LARGE = 1_100_000
TILL = "acme:shop/till@1.2.0"


def price(_context, item):
    if item == 13:
        raise LookupError("no such item")
    return 2 * item


async def price_later(_context, item):
    await trio.lowlevel.checkpoint()
    return price(None, item)


GIVEN = [
    HostFunction(price, kind=FunctionKind.INSTANT),
    HostFunction(price),
    HostFunction(price_later),
]


async def echoes(guests):
    guest = await guests.start("echo", host_call_bytes=4 * LARGE)
    for size in (0, 64, 40_000, LARGE):
        assert len(await guest.handle_message(envelope(bytes(size)))) == size
    return guest


async def traps(guests):
    guest = await guests.start("trap-unreachable")
    with pytest.raises(GuestTrapped):
        await guest.handle_message(envelope())
    return guest


async def spins(guests):
    guest = await guests.start("loop", execution_time=0.02)
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope())
    assert caught.value.reason is TrapReason.TIME_LIMIT
    return guest


async def is_dropped(guests):
    guest = await guests.start("loop")
    with trio.move_on_after(0.01):
        await guest.handle_message(envelope())
    assert guest.spent is not None
    return guest


async def shops(guests):
    for given in GIVEN:
        artifact = Artifact.from_text(shop_guest(TILL), "the shop")
        interface = HostInterface(TILL, {"price": given})
        component = await guests.loader.load(artifact.given([interface]))
        guest = await component.instantiate(Limits(), FakeServices("shop"))
        await guest.initialize(ComponentConfig())
        assert await guest.handle_message(envelope(b"\5")) == b"\n"
        with pytest.raises(GuestTrapped, match="no such item"):
            await guest.handle_message(envelope(b"\r"))
        guest.close()


ACTS = (echoes, traps, spins, is_dropped)


async def play(lanes, rounds):
    for _ in range(rounds):
        for act in ACTS:
            for guests in lanes:
                guest = await act(guests)
                guests.started.remove(guest)
                guest.close()


def maps():
    return len(Path("/proc/self/maps").read_text().splitlines())


async def least(lanes):
    """The least memory, and the fewest maps, between some rounds."""
    readings = []
    for _ in range(READINGS):
        await play(lanes, 1)
        gc.collect()
        readings.append((process_memory(), maps()))
    return tuple(map(min, zip(*readings, strict=True)))


async def run(rounds, cache):
    """See that the last rounds need no more than the first ones did."""
    async with AsyncExitStack() as stack:
        lanes = [
            await stack.enter_async_context(open_guests(cache, lane=lane))
            for lane in LANES
        ]
        for guests in lanes:
            await shops(guests)
        await play(lanes, 5)
        before = await least(lanes)
        await play(lanes, rounds)
        after = await least(lanes)
        assert after[0] - before[0] < ROOM
        assert after[1] - before[1] < 10
        for guests in lanes:
            engine = guests.runtime.engine
            ledger = engine.ledger
            assert not ledger.stores
            assert not ledger.found
            assert not ledger.inside
            assert not engine.polling
        left = [each for each in gc.get_objects() if type(each) is CoreStore]
        assert len(left) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="maps are read from /proc")
async def test_both_lanes_leave_nothing_behind(compiled):
    await run(40, compiled)
