"""Ten times the messages that can be handled: most of what is handled is of use."""

import math

import pytest
import trio
from hypothesis import given, strategies as st

from airssys.contracts import (
    ChildExited,
    ComponentId,
    Envelope,
    MessagingError,
    OnAbandoned,
    PoolSpec,
)
from airssys.nursery.actors._overload import Overload

from .company import component, python, running

SERVICE = 0.1


async def nap(context, envelope):
    await trio.sleep(SERVICE)
    return b"done"


def pool_of_four(**options):
    return PoolSpec(
        id=ComponentId.parse("t"), member=python("m", nap, **options), size=4
    )


TARGETS = {
    "actor": (lambda **o: python("t", nap, **o), 1),
    "guest": (component, 1),
    "cut": (lambda n="t", **o: component(n, on_abandoned=OnAbandoned.CANCEL, **o), 1),
    "pool": (pool_of_four, 4),
}


class Askers:
    """Ask ten times as often as can be answered, and count."""

    def __init__(self, system, patience, priority):
        self.system, self.patience, self.priority = system, patience, priority
        self.answered = self.most_waiting = 0

    async def ask(self):
        try:
            await self.system.ask(
                "t",
                f"sleep:{SERVICE}".encode(),
                timeout=self.patience,
                priority=self.priority,
            )
        except MessagingError:
            return
        self.answered += 1

    async def flood(self, rate, seconds):
        async with trio.open_nursery() as nursery:
            for _ in range(int(seconds * rate)):
                nursery.start_soon(self.ask)
                await trio.sleep(1 / rate)
                waiting = self.system._broker.pending_count
                self.most_waiting = max(self.most_waiting, waiting)


async def overload(name, mailbox, patience, seconds):
    make, servers = TARGETS[name]
    target = make("t", mailbox=mailbox) if name == "guest" else make(mailbox=mailbox)
    # Those wait for room in a full mailbox, the others are refused.
    priority = "high" if mailbox == 10 and patience == 1 else None
    async with running(target, restarts=0) as (system, watch):
        askers = Askers(system, patience, priority)
        capacity = servers / SERVICE
        await askers.flood(10 * capacity, seconds)
        assert askers.answered >= 0.8 * capacity * seconds
        assert askers.most_waiting <= 1.1 * 10 * capacity * patience + 20
        await trio.sleep(patience)
        assert system._broker.pending_count == 0
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize(("mailbox", "patience"), [(10, 1), (1000, 0.25), (1000, 1)])
@pytest.mark.parametrize("name", TARGETS)
async def test_goodput_stays(name, mailbox, patience, autojump_clock):
    """Whether the mailbox is full, or deadlines pass in it, or both."""
    await overload(name, mailbox, patience, seconds=4)


@pytest.mark.slow
@pytest.mark.parametrize("patience", [0.25, 1, 5])
@pytest.mark.parametrize("mailbox", [10, 1000])
@pytest.mark.parametrize("name", TARGETS)
async def test_goodput_stays_for_a_minute(name, mailbox, patience, autojump_clock):
    await overload(name, mailbox, patience, seconds=60)


async def test_one_that_keeps_up_passes_nothing_over(autojump_clock):
    """A slow message before quick ones is not taken for overload."""

    async def handle(context, envelope):
        await trio.sleep(float(envelope.payload))
        return envelope.payload

    answers = []

    async def ask(system, payload, timeout):
        answers.append(await system.ask("t", payload, timeout=timeout))

    child = python("t", handle)
    async with running(child) as (system, _), trio.open_nursery() as nursery:
        nursery.start_soon(ask, system, b"5", 60)
        await trio.sleep(0.1)
        nursery.start_soon(ask, system, b"0.01", 5)
        nursery.start_soon(ask, system, b"0.02", 60)
        await trio.sleep(10)
        assert sorted(answers) == [b"0.01", b"0.02", b"5"]


ME = ComponentId.parse("t")
seconds = st.floats(0.001, 100)


def due_in(left):
    return Envelope(ME, ME, b"", deadline=None if left is None else left)


@given(st.lists(seconds, min_size=1), seconds, seconds)
def test_what_is_passed_over_has_less_time_than_the_newest(took, left, newest):
    overload = Overload()
    for duration in took:
        assert not overload.passes_over(due_in(None), due_in(None), 0.0)
        overload.note_end(duration)
    is_passed = overload.passes_over(due_in(left), due_in(newest), 0.0)
    if left >= newest:
        assert not is_passed
    if left < min(took) and newest > 10 * max(took):
        assert is_passed


def test_nothing_is_passed_over_before_anything_is_known():
    overload = Overload()
    assert not overload.passes_over(due_in(0.001), due_in(math.inf), 0.0)
    overload.note_cut_off(0.5)
    assert overload.passes_over(due_in(0.001), due_in(math.inf), 0.0)
