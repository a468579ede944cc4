"""Calls cancelled at every point, over and over: nothing stays behind."""

import gc
import os
import sys
import threading
from functools import partial
from itertools import cycle
from pathlib import Path

import trio
import trio.lowlevel
from bench import TARGET, Services, envelope, make, say, source

from airssys.contracts import EngineSettings, Limits
from airssys.wasm import _c_api as c, open_runtime

WARM_UP = 60
PAGE = os.sysconf("SC_PAGE_SIZE")
LARGE = b"x" * 1000
"""Large enough that it is noticed when it is not freed: 32 bytes a byte in C."""
HOST_CALLS = (
    b"host-messaging.send\ntest/bob/0\n" + LARGE,
    b"host-messaging.ask\ntest/bob/0\n" + LARGE,
    b"host-messaging.broadcast\ntest/bob/0\n" + LARGE,
    b"host-messaging.publish\nnews\n" + LARGE,
    b"host-services.sleep-millis\n1000000",
)
INSTANT_HOST_CALLS = (
    b"host-messaging.self-id",
    b"host-services.log",
    b"host-services.current-time",
    b"host-services.list-components",
)


class Waiting(Services):
    """Every host function that may wait does so until it is cancelled."""

    async def wait(self, *_):
        self.asked()
        await trio.sleep_forever()

    send = ask = broadcast = publish = sleep = wait


async def cancelled(call, *, until):
    """Cancel a call as soon as something is reached."""
    async with trio.open_nursery() as nursery:

        async def run():
            await call()
            raise AssertionError("it was not cancelled")

        nursery.start_soon(run)
        await until()
        nursery.cancel_scope.cancel()


async def at_once():
    pass


class ThreadGate:
    """Stops polls of worker threads just before they enter C."""

    def __init__(self):
        self._poll = c.future_poll
        self._reached, self._open = threading.Event(), threading.Event()

    def __enter__(self):
        c.future_poll = self._gated_poll
        return self

    def __exit__(self, *_):
        c.future_poll = self._poll

    def _gated_poll(self, future):
        if threading.current_thread() is not threading.main_thread():
            self._reached.set()
            self._open.wait()
        return self._poll(future)

    async def reached(self):
        while not self._reached.is_set():  # noqa: ASYNC110  # set by a thread
            await trio.sleep(0.0002)

    def open(self):
        self._open.set()


async def polled(times):
    for _ in range(times):
        await trio.lowlevel.checkpoint()


class Host:
    """Makes guests and tells when they have called the host."""

    def __init__(self, loader):
        self.loader = loader
        self.called = trio.Event()
        self.services = Waiting(self.note_call)

    def note_call(self):
        self.called.set()

    async def new(self, name, **limits):
        self.called = trio.Event()
        return await make(self.loader, name, TARGET, self.services, **limits)

    async def before_the_first_poll(self, _payload):
        guest = await self.new("echo")
        with trio.CancelScope() as scope:
            scope.cancel()
            await guest.handle_message(envelope(b"x" * 100_000))
        return guest

    async def in_its_instantiation(self, _payload):
        component = await self.loader.load(source("loop-start"))
        start = partial(component.instantiate, Limits(), self.services)
        await cancelled(start, until=partial(polled, 3))
        return

    async def after_a_slice(self, _payload):
        guest = await self.new("loop")
        call = partial(guest.handle_message, envelope())
        await cancelled(call, until=partial(polled, 4))
        return guest

    async def in_a_host_call(self, payload):
        guest = await self.new("calls")
        call = partial(guest.handle_message, envelope(payload))
        await cancelled(call, until=self.called.wait)
        return guest

    async def in_an_instant_host_call(self, payload):
        """Cancelled from inside the host function; takes effect at the next wait."""
        guest = await self.new("calls")
        with trio.CancelScope() as scope:
            self.services.asked = scope.cancel
            await guest.handle_message(envelope(payload))
        self.services.asked = self.note_call
        return guest

    async def in_a_thread(self, _payload):
        """A large payload sends the guest, which then loops, to a worker."""
        guest = await self.new("loop")
        call = partial(guest.handle_message, envelope(b"x" * 40_000))
        with ThreadGate() as gate:

            async def until_it_is_cancelled():
                await gate.reached()
                trio.lowlevel.current_trio_token().run_sync_soon(gate.open)

            await cancelled(call, until=until_it_is_cancelled)
        return guest

    async def by_its_deadline(self, _payload):
        guest = await self.new("sleep")
        with trio.move_on_after(0.0005):
            await guest.handle_message(envelope(b"1000000"))
        return guest


def ways(host):
    return {
        "before the first poll": (host.before_the_first_poll, [b""]),
        "in its instantiation": (host.in_its_instantiation, [b""]),
        "after a slice": (host.after_a_slice, [b""]),
        "in a host call": (host.in_a_host_call, HOST_CALLS),
        "in a host call at once": (host.in_an_instant_host_call, INSTANT_HOST_CALLS),
        "in a thread poll": (host.in_a_thread, [b""]),
        "by its deadline": (host.by_its_deadline, [b""]),
    }


def footprint():
    """To be called in a worker thread: it lets go of what it did before."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    return resident, len(Path("/proc/self/maps").read_text().splitlines())


async def repeat(way, payloads, times):
    for _, payload in zip(range(times), cycle(payloads), strict=False):
        guest = await way(payload)
        if guest is not None:
            assert not guest._store._open.future, "the call was not dropped at once"
            guest.close()


async def main(times, name):
    async with open_runtime(EngineSettings(tick=0.001)) as loader:
        way, payloads = ways(Host(loader))[name]
        ledger = loader.runtime.engine.ledger
        await repeat(way, payloads, WARM_UP)
        memory, maps = await trio.to_thread.run_sync(footprint)
        await repeat(way, payloads, times)
        after = await trio.to_thread.run_sync(footprint)
        more_memory, more_maps = (
            now - before for before, now in zip((memory, maps), after, strict=True)
        )
        say(f"  {more_memory} bytes and {more_maps} mappings more")
        assert not ledger.stores
        # 64 bytes a call would be a leak; an allocator keeps some pages whatever comes.
        assert more_memory < 1_500_000 + 64 * times
        assert more_maps <= 12


times, names = int(sys.argv[1]), sys.argv[2:] or ways(Host(None))
for name in names:
    say("cancelled", name, sys.argv[1], "times")
    trio.run(main, times, name)
say("survived")
