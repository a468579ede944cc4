"""What is sent to many is sent in portions; who shares the thread is served in turn."""

import gc
from functools import partial

import pytest
import trio

from airssys import actor, blueprint, open_system
from airssys.contracts import ComponentId
from airssys.messaging.publishing import _portions
from airssys.messaging.publishing._portions import FEW, Floor
from pace import PATIENCE, passes_of


@pytest.fixture
def clock(monkeypatch):
    """A clock that each look moves on by a portion, so that each thing is one."""
    seconds = iter(range(10**9))
    monkeypatch.setattr(_portions, "perf_counter", lambda: float(next(seconds)))


async def work_on(floor, things, note=lambda _: None):
    with floor.work() as work:
        for thing in range(things):
            if work.is_due():
                await work.pause()
            note(thing)


async def test_few_things_are_done_at_once(clock):
    _, passes = await passes_of(lambda: work_on(Floor(), FEW))
    assert passes == 0


async def test_many_things_let_others_run(clock):
    _, passes = await passes_of(lambda: work_on(Floor(), FEW + 10))
    assert passes >= 10


async def test_one_portion_of_all_is_done_in_a_pass(clock):
    floor, done, most = Floor(), [], 0

    def note(name, thing):
        if thing >= FEW:
            done.append(name)

    async with trio.open_nursery() as nursery:
        for name in range(5):
            nursery.start_soon(work_on, floor, FEW + 20, partial(note, name))
        while len(done) < 5 * 20:
            before = len(done)
            await trio.lowlevel.checkpoint()
            most = max(most, len(done) - before)
    assert most <= 2, "the pass of a task may see the end of one portion and the next"
    for start in range(0, len(done) - 5, 5):
        assert len(set(done[start : start + 5])) == 5, "each in turn"


async def test_one_that_is_cancelled_in_the_line_or_on_the_floor_leaves_it(clock):
    floor = Floor()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(work_on, floor, 10**9)
        await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    with trio.fail_after(PATIENCE):
        await work_on(floor, FEW + 3)


async def test_what_fails_leaves_the_floor(clock):
    floor = Floor()

    def fail(thing):
        if thing == FEW + 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work_on(floor, FEW + 3, fail)
    with trio.fail_after(PATIENCE):
        await work_on(floor, FEW + 3)


async def ignore(context, envelope):
    pass


async def test_a_broadcast_to_many_lets_others_run_and_reports_each(clock):
    names = [ComponentId("local", f"n{n}") for n in range(100)]
    plan = blueprint(actor("n7", ignore), actor("n93", ignore))
    async with open_system(plan) as system:
        results, passes = await passes_of(lambda: system.broadcast(names, b"x"))
        assert passes > 100
        assert [n for n in names if results[n] is None] == [names[7], names[93]]


async def test_a_name_given_as_text_is_an_object_only_while_it_is_sent_to(clock):
    names = [f"local/n{n}/0" for n in range(1, 301)]
    most = 0

    async def count(identities):
        nonlocal most
        while True:
            for _ in range(100):  # looking takes long
                await trio.lowlevel.checkpoint()
            now = sum(type(each) is ComponentId for each in gc.get_objects())
            most = max(most, now - identities)

    async with (
        open_system(blueprint(actor("n7", ignore))) as system,
        trio.open_nursery() as nursery,
    ):
        publishing = system._publishing
        gc.collect()
        before = sum(type(each) is ComponentId for each in gc.get_objects())
        nursery.start_soon(count, before)
        outcomes = await publishing.broadcast(
            ComponentId("local", "me"),
            names,
            b"x",
            publishing.broker.registry.identify,
            most_errors=10,
        )
        nursery.cancel_scope.cancel()
    assert 0 < most <= 20
    assert list(outcomes.targets) == names
    assert len(outcomes.refused) == 10
    assert outcomes.more == 300 - 1 - 10
    assert "local/n7/0" not in outcomes.refused


async def test_one_that_leaves_while_it_is_published_does_not_get_it(clock):
    async with open_system(blueprint()) as system:
        listeners = [system.subscribe("x") for _ in range(60)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.publish, "x", b"x")
            for _ in range(10):
                await trio.lowlevel.checkpoint()
            listeners[-1].end()
        got = [len(each._kept) for each in listeners]
    assert got == [1] * 59 + [0]
