"""A handler that keeps the Trio thread is named; one that the machine kept is not."""

import math
import os
import subprocess
import sys
import threading
import time

import pytest
import trio
import trio.testing

from airssys.contracts import DeadLetter, HandlerHeldThread, Health, HealthStatus
from airssys.nursery.actors._punctuality import Punctuality
from airssys.nursery.shared import _lateness
from airssys.nursery.shared._lateness import waited_for_processor
from airssys.nursery.shared._lookout import Lookout

from .company import python, running


class Thread:
    """What the handlers' seconds are read from, moved on by hand."""

    def __init__(self, monkeypatch):
        self._now = self._waited = 0.0
        self.others = {}
        monkeypatch.setattr(time, "perf_counter", lambda: self._now)
        monkeypatch.setattr(_lateness, "waited_for_processor", lambda: self._waited)
        monkeypatch.setattr(_lateness, "waits_of_others", self.others.copy)

    def keep(self, seconds):
        self._now += seconds

    def wait_for_processor(self, seconds):
        self._now += seconds
        self._waited += seconds

    def wait_for_another(self, seconds, waited):
        """For one that had Python's lock, and waited for a processor meanwhile."""
        self._now += seconds
        self.others["another"] = self.others.get("another", 0.0) + waited


async def test_a_handler_that_holds_the_thread_is_named(monkeypatch):
    time_passes = Thread(monkeypatch).keep

    async def hold(context, envelope):
        time_passes(0.03)
        await trio.lowlevel.checkpoint()
        time_passes(0.001)

    class Holder:
        async def handle(self, context, envelope):
            await hold(context, envelope)

    actors = python("hold", hold), python("holder", Holder)
    async with running(*actors, held_thread_after=0.02) as (system, watch):
        await system.ask("hold", b"")
        await system.ask("holder", b"")
        names = [
            event.handler.rpartition(".<locals>.")[2]
            for event in watch.of(HandlerHeldThread)
        ]
        assert names == ["hold", "Holder.handle"]
        assert [e.seconds for e in watch.of(HandlerHeldThread)] == [0.03, 0.03]


async def test_each_slice_of_a_handler_counts_on_its_own(monkeypatch):
    keep = Thread(monkeypatch).keep

    async def hold(context, envelope):
        keep(0.001)
        await trio.lowlevel.checkpoint()
        keep(0.03)
        await trio.lowlevel.checkpoint()
        keep(0.03)

    async with running(python("h", hold), held_thread_after=0.02) as (system, watch):
        await system.ask("h", b"")
        assert len(watch.of(HandlerHeldThread)) == 2


async def test_a_probe_that_holds_the_thread_is_named_and_no_handler_with_it(
    monkeypatch,
):
    keep = Thread(monkeypatch).keep

    class Probed:
        async def handle(self, context, envelope):
            return b""

        async def health(self, context):
            keep(0.03)
            return HealthStatus.HEALTHY

    probed = python("p", Probed, health=Health(interval=0.01))
    async with running(probed, held_thread_after=0.02) as (system, watch):
        await system.ask("p", b"")
        while not watch.of(HandlerHeldThread):
            await system.ask("p", b"")
        held = {event.handler for event in watch.of(HandlerHeldThread)}
        assert {name.rpartition(".<locals>.")[2] for name in held} == {"Probed.health"}


async def test_a_message_right_after_a_probe_is_not_taken_for_it(monkeypatch):
    keep = Thread(monkeypatch).keep

    class Probed:
        async def handle(self, context, envelope):
            return b""

        async def health(self, context):
            # Queued while the probe runs: handled before the actor waits again.
            context.tell("p", b"")
            keep(0.03)
            return HealthStatus.HEALTHY

    probed = python("p", Probed, health=Health(interval=0.01))
    async with running(probed, held_thread_after=0.02) as (system, watch):
        while len(watch.of(HandlerHeldThread)) < 5:
            await system.ask("p", b"")
        held = {event.handler for event in watch.of(HandlerHeldThread)}
        assert {name.rpartition(".<locals>.")[2] for name in held} == {"Probed.health"}


async def test_a_slice_without_a_handler_is_nobodys(monkeypatch):
    keep = Thread(monkeypatch).keep

    async def handle(context, envelope):
        return b""

    def slowly(actor, envelope):
        keep(0.03)
        return original(actor, envelope)

    original = Punctuality.is_too_late
    monkeypatch.setattr(Punctuality, "is_too_late", slowly)
    async with running(python("a", handle), held_thread_after=0.02) as (system, watch):
        system.tell("a", b"", ttl=0.001)
        over = trio.current_time() + 0.002
        while trio.current_time() < over:
            pass  # No other task may run before.
        await trio.testing.wait_all_tasks_blocked()
        assert len(watch.of(DeadLetter)) == 1
        assert watch.of(HandlerHeldThread) == []


async def test_waiting_is_not_holding_the_thread(monkeypatch):
    time_passes = Thread(monkeypatch).keep

    async def wait(context, envelope):
        time_passes(0.001)
        await trio.lowlevel.checkpoint()
        time_passes(0.001)

    async def others():
        while True:
            time_passes(1)
            await trio.lowlevel.checkpoint()

    async with (
        running(python("w", wait), held_thread_after=0.02) as (system, watch),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(others)
        await system.ask("w", b"")
        nursery.cancel_scope.cancel()
        assert watch.of(HandlerHeldThread) == []


async def test_holding_the_thread_is_charged_to_it_and_not_to_its_asker(monkeypatch):
    keep = Thread(monkeypatch).keep

    def hold(context, envelope):
        keep(0.03)

    async def asker(context, envelope):
        return await context.ask("hold", b"")

    actors = python("hold", hold), python("asker", asker)
    async with running(*actors, held_thread_after=0.02) as (system, watch):
        await trio.testing.wait_all_tasks_blocked()
        await system.ask("asker", b"")
        system.tell("hold", b"")
        await trio.testing.wait_all_tasks_blocked()
        held = watch.of(HandlerHeldThread)
        assert [event.actor.name for event in held] == ["hold", "hold"]
        assert all(event.seconds == pytest.approx(0.03) for event in held)


def holders(how):
    """A handler of each kind that calls `how` with the payload."""

    async def in_coroutine(context, envelope):
        how(envelope.payload)

    def in_plain(context, envelope):
        how(envelope.payload)

    return python("coroutine", in_coroutine), python("plain", in_plain)


async def held_by_machine(monkeypatch, how):
    """What is reported of messages in which the thread and the machine take their time."""
    thread = Thread(monkeypatch)
    actors = holders(lambda payload: how(thread, payload))
    async with running(*actors, held_thread_after=0.02) as (system, watch):
        for name in ("coroutine", "plain"):
            await system.ask(name, b"first")
            await system.ask(name, b"second")
        held = watch.of(HandlerHeldThread)
    return [(event.actor.name, pytest.approx(event.seconds)) for event in held]


async def test_what_the_machine_took_is_not_held(monkeypatch):
    def how(thread, payload):
        thread.wait_for_processor(5)
        thread.keep(0.019)

    assert await held_by_machine(monkeypatch, how) == []


async def test_what_a_handler_held_besides_is_reported_alone(monkeypatch):
    def how(thread, payload):
        thread.wait_for_processor(5)
        thread.keep(0.03)

    expected = [("coroutine", 0.03)] * 2 + [("plain", 0.03)] * 2
    assert await held_by_machine(monkeypatch, how) == expected


async def test_what_the_machine_took_long_ago_is_not_left_out(monkeypatch):
    def how(thread, payload):
        if payload == b"first":
            thread.wait_for_processor(5)
        else:
            thread.keep(0.03)

    expected = [("coroutine", 0.03), ("plain", 0.03)]
    assert await held_by_machine(monkeypatch, how) == expected


async def test_a_wait_for_a_thread_that_the_machine_put_aside_is_not_held(monkeypatch):
    """It had Python's lock, for instance."""

    def how(thread, payload):
        thread.wait_for_another(5, waited=4.99)

    assert await held_by_machine(monkeypatch, how) == []


async def test_another_thread_excuses_no_more_than_it_waited(monkeypatch):
    def how(thread, payload):
        thread.wait_for_another(0.05, waited=0.02)

    expected = [("coroutine", 0.03)] * 2 + [("plain", 0.03)] * 2
    assert await held_by_machine(monkeypatch, how) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts it")
def test_what_other_threads_waited_is_found():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    before = _lateness.waits_of_others()
    thread.start()
    try:
        found = _lateness.waits_of_others()
    finally:
        over.set()
        thread.join()
    assert str(thread.native_id) in set(found) - set(before)
    assert str(threading.get_native_id()) not in found


@pytest.mark.parametrize("found", [None, b"", b"1", b"none at all"])
def test_where_it_is_not_counted_the_machine_took_nothing(tmp_path, monkeypatch, found):
    path = tmp_path / "schedstat"
    monkeypatch.setattr(_lateness, "_SCHEDULED", path)
    if found is not None:
        path.write_bytes(found)
    assert waited_for_processor() == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts it")
def test_a_thread_beside_a_busy_program_waits_for_the_processor():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})  # what is started has it, too
    spin = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before = waited_for_processor()
        while waited_for_processor() < before + 0.01:
            assert spin.poll() is None
    finally:
        spin.kill()
        spin.wait()
        os.sched_setaffinity(0, allowed)


def blocking(seconds):
    time.sleep(seconds)  # noqa: TID251  # on purpose


def block(context, envelope):
    blocking(0.3)


def spin(context, envelope):
    over = time.monotonic() + 0.3
    while time.monotonic() < over:
        pass


async def block_async(context, envelope):
    await trio.lowlevel.checkpoint()
    time.sleep(0.3)  # noqa: TID251, ASYNC251  # on purpose


class Blocking:
    def handle(self, context, envelope):
        return None

    async def health(self, context):
        time.sleep(0.3)  # noqa: TID251, ASYNC251  # on purpose
        return HealthStatus.HEALTHY


BLOCKED = {
    block: ("block", 1, "blocking", 1),
    spin: ("spin", 2, None, 0),
    block_async: ("block_async", 2, None, 0),
}


@pytest.mark.slow  # real seconds: another thread reads the stack of this one
@pytest.mark.parametrize("how", ["ask", "tell"])
@pytest.mark.parametrize("code", BLOCKED, ids=lambda code: code.__name__)
async def test_the_line_that_holds_the_thread_is_named(code, how):
    name, line, inner, inner_line = BLOCKED[code]
    async with running(python("a", code), held_thread_after=0.05) as (system, watch):
        await trio.testing.wait_all_tasks_blocked()
        if how == "ask":
            await system.ask("a", b"")
        else:
            system.tell("a", b"")
            with trio.fail_after(10):
                while not watch.of(HandlerHeldThread):
                    await trio.lowlevel.checkpoint()
        event = watch.of(HandlerHeldThread)[0]
    outer, _, called = event.where.partition(", which called ")
    first = code.__code__.co_firstlineno
    lines = {first + line} if code is not spin else {first + line, first + line + 1}
    assert outer in {f"{__file__}:{number} in {name}" for number in lines}
    if inner is not None:
        number = blocking.__code__.co_firstlineno + inner_line
        assert called == f"{__file__}:{number} in {inner}"


@pytest.mark.slow  # as above
async def test_the_line_of_a_hook_is_named():
    probed = python("a", Blocking, health=Health(interval=0.01, timeout=10))
    async with running(probed, held_thread_after=0.05) as (_, watch):
        with trio.fail_after(10):
            while not watch.of(HandlerHeldThread):
                await trio.lowlevel.checkpoint()
        event = watch.of(HandlerHeldThread)[0]
    number = Blocking.health.__code__.co_firstlineno + 1
    assert event.where == f"{__file__}:{number} in health"


async def test_no_stack_is_read_while_no_handler_runs(monkeypatch):
    known, keep_up = set(), Lookout.keep_up

    def noted(lookout):
        known.add(lookout)
        keep_up(lookout)

    monkeypatch.setattr(Lookout, "keep_up", noted)
    async with running(python("a", wait_a_moment), held_thread_after=0.01) as (s, _):
        await s.ask("a", b"")
        (lookout,) = known
        assert lookout._is_running
        with trio.fail_after(10):
            while lookout._is_running:
                await trio.lowlevel.checkpoint()
        assert await s.ask("a", b"x") == b"x"


async def wait_a_moment(context, envelope):
    await trio.lowlevel.checkpoint()
    return envelope.payload


@pytest.mark.parametrize("limit", [0.0, math.inf, 1e300])
async def test_a_limit_of_any_size_is_taken(limit):
    lookout = Lookout(limit)
    lookout.keep_up()
    assert lookout.seen_since(0.0) == ""
