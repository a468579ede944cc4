"""One fault at every step of a small life: cancellation, Ctrl-C, killing the tree.

The life opens a system, has messages handled, an actor and a guest crash and come back,
and closes. Whatever step the fault strikes at, everything is given back, in order.
"""

import signal
import threading
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from airssys.contracts import (
    CalleeFailed,
    ChildExited,
    ChildStarted,
    DeliveryFailed,
    SupervisorSpec,
    TargetNotFound,
)
from airssys.system import open_system
from airssys.testing import wait_until_idle
from tests.nursery.company import Watch, blueprint, component, python
from tests.nursery.fake_guest import FakeLoader

MOST_STEPS = 5000


class Worker:
    def __init__(self, alive):
        self.alive = alive

    async def started(self, context):
        await trio.lowlevel.checkpoint()

    async def handle(self, context, envelope):
        name = context.self_id.name
        assert name not in self.alive, "one at a time"
        self.alive.append(name)
        try:
            await trio.lowlevel.checkpoint()
            if envelope.payload == b"crash":
                raise ValueError
            return envelope.payload
        finally:
            self.alive.remove(name)


@attrs.define(eq=False)
class FaultAt(trio.abc.Instrument):
    """Causes the fault before the n-th step of any task."""

    steps_left: int
    fault: object = None

    def before_task_step(self, task):
        self.steps_left -= 1
        if self.steps_left == 0:
            self.fault()


@attrs.define(eq=False)
class Life:
    """One life, and what it leaves behind."""

    loader: FakeLoader = attrs.Factory(FakeLoader)
    alive: list = attrs.Factory(list)
    watch: Watch | None = None
    outcome: BaseException | None = None
    opening: object = None
    is_done: bool = False

    async def live(self):
        inner = SupervisorSpec(
            name="inner", children=(python("w", Worker, arguments=(self.alive,)),)
        )
        plan = blueprint(component("c"), inner, python("v", Worker, arguments=([],)))
        self.opening = open_system(plan, open_loader=self.loader)
        async with self.opening as system:
            self.watch = Watch(system.events())
            for word in (b"1", b"crash", b"2", b"trap", b"3"):
                for name in ("w", "c"):
                    with trio.move_on_after(1):
                        await self.try_asking(system, name, word)
        self.is_done = True

    async def try_asking(self, system, name, word):
        with suppress(CalleeFailed, TargetNotFound, DeliveryFailed):
            await system.ask(name, word)

    def assert_nothing_is_left(self):
        assert self.alive == []
        assert not self.loader.is_open
        for fake in self.loader.components.values():
            assert fake.open_guests == 0
            assert all(guest.is_closed for guest in fake.guests)
        if self.watch is not None:
            ended = [e.child for e in self.watch.of(ChildExited)]
            started = [e.child for e in self.watch.of(ChildStarted)]
            # Four starts came before the watch; so did all ends, if the tree was
            # killed while it opened.
            assert not ended or len(ended) >= len(started) + 4
            assert set(ended[-4:]) <= {"local/c/0", "inner", "local/w/0", "local/v/0"}


def cancelling(life, scope):
    return scope.cancel


def interrupting(life, scope):
    return lambda: signal.raise_signal(signal.SIGINT)


def killing(life, scope):
    return lambda: life.opening and life.opening.cancel_now()


@pytest.mark.parametrize("make_fault", [cancelling, interrupting, killing])
def test_a_fault_at_every_step(make_fault):
    for step in range(1, MOST_STEPS):
        life, instrument = Life(), FaultAt(step)

        async def program(life=life, instrument=instrument):
            with trio.CancelScope() as scope:
                instrument.fault = make_fault(life, scope)
                trio.lowlevel.add_instrument(instrument)
                try:
                    with trio.fail_after(100):
                        await life.live()
                except KeyboardInterrupt as error:
                    life.outcome = error

        try:
            clock = trio.testing.MockClock(autojump_threshold=0)
            trio.run(program, clock=clock)
        except KeyboardInterrupt as error:
            life.outcome = error
        life.assert_nothing_is_left()
        if instrument.steps_left > 0:
            assert life.is_done
            break
    else:
        pytest.fail("the life never ended by itself")
    assert step > 50


def count_resources():
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    return descriptors, threading.active_count()


def test_a_second_system_leaves_no_more_than_the_first():
    async def open_and_close():
        tasks = []
        for _ in range(2):
            await Life().live()
            await wait_until_idle()
            tasks.append(trio.lowlevel.current_statistics().tasks_living)
        assert tasks[0] == tasks[1]

    trio.run(open_and_close)
    first = count_resources()
    trio.run(open_and_close)
    assert count_resources() == first
