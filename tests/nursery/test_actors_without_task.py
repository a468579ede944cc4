"""Functions as actors: ready in the step of their supervisor, without a task before they need one."""

from __future__ import annotations

import contextvars
from types import SimpleNamespace

import pytest
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    ActorSpec,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    ComponentId,
    Directive,
    ExitKind,
    MessageFailed,
    Refused,
    RestartType,
    Strategy,
    SupervisorSpec,
)
from airssys.nursery import find_actor
from airssys.nursery.children import _inbox

from .company import python, running

settle = trio.testing.wait_all_tasks_blocked
SECRET = contextvars.ContextVar("SECRET", default="nothing")


def plain(act=lambda _context, _envelope: None):
    """Return a handler that is a plain function."""

    def handle(context, envelope):
        act(context, envelope)
        return SECRET.get().encode()

    return handle


def waiting(act=lambda _context, _envelope: None):
    """Return a handler that may wait."""

    async def handle(context, envelope):
        await trio.lowlevel.checkpoint()
        act(context, envelope)
        return SECRET.get().encode()

    return handle


KINDS = pytest.mark.parametrize("kind", [plain, waiting])


def tasks_of(name):
    """Return the tasks of an actor that run now."""
    nurseries = list(trio.lowlevel.current_root_task().child_nurseries)
    found = []
    while nurseries:
        for task in nurseries.pop().child_tasks:
            nurseries.extend(task.child_nurseries)
            found += [task] * task.name.endswith(f"/{name}/0")
    return found


@KINDS
async def test_a_function_has_no_task_while_it_has_nothing_to_do(kind):
    async with running(python("a", kind())) as (system, watch):
        await settle()
        assert tasks_of("a") == []
        assert system.supervisor("root").count_children().active == 1
        assert [event.child for event in watch.of(ChildStarted)] == []  # before
        assert await system.ask("a", b"") == b"nothing"
        assert len(tasks_of("a")) == (kind is waiting)
        system.tell("a", b"")
        await settle()
        assert system.mailbox("a").handled == 2
        assert len(tasks_of("a")) == (kind is waiting)
    assert [event.reason.kind for event in watch.of(ChildExited)] == [ExitKind.SHUTDOWN]


async def test_a_class_has_one():
    class Code:
        def handle(self, context, envelope):
            return b""

    async with running(python("a", Code)):
        assert len(tasks_of("a")) == 1


@KINDS
async def test_its_context_is_not_that_of_the_caller_that_wakes_it(kind):
    async with running(python("a", kind())) as (system, _):
        SECRET.set("of the caller")
        assert await system.ask("a", b"") == b"nothing"


async def test_what_a_plain_function_sets_in_its_context_stays_when_it_gets_a_task():
    def handle(context, envelope):
        found = SECRET.get()
        SECRET.set(envelope.payload.decode())
        if envelope.payload == b"fail":
            raise ValueError("on purpose")
        return found.encode()

    resumed = python("a", handle, on_error=((ValueError, Directive.RESUME),))
    async with running(resumed) as (system, _):
        assert await system.ask("a", b"first") == b"nothing"
        with pytest.raises(CalleeFailed):
            await system.ask("a", b"fail")
        assert len(tasks_of("a")) == 1
        assert await system.ask("a", b"last") == b"fail"


@KINDS
async def test_one_without_a_task_is_killed_like_others(kind):
    rules = {"backoff": NO_BACKOFF, "restart": RestartType.PERMANENT}
    async with running(python("a", kind(), **rules)) as (system, watch):
        await system.supervisor("root").kill_child("local/a/0")
        await settle()
        (end,) = watch.of(ChildExited)
        assert (end.reason.kind, end.asked) == (ExitKind.KILLED, False)
        assert [event.restarts for event in watch.of(ChildStarted)] == [1]
        assert await system.ask("a", b"") == b"nothing"


@KINDS
async def test_one_without_a_task_is_stopped_like_others(kind):
    async with running(python("a", kind())) as (system, watch):
        await system.supervisor("root").terminate_child("local/a/0")
        (end,) = watch.of(ChildExited)
        assert (end.reason.kind, end.asked) == (ExitKind.SHUTDOWN, True)
        assert tasks_of("a") == []


@KINDS
async def test_one_that_is_killed_begins_no_message(kind):
    handled = []
    code = kind(lambda _, envelope: handled.append(envelope.payload))
    async with running(python("a", code, backoff=NO_BACKOFF)) as (system, watch):
        child = find_actor(system._root, ComponentId.parse("a")).child
        child.kill(asked=False)
        system.tell("a", b"kept")
        await settle()
        assert handled == [b"kept"]
        assert [event.restarts for event in watch.of(ChildStarted)] == [1]


@KINDS
async def test_the_next_incarnation_handles_what_is_queued(kind):
    handled = []

    def act(_, envelope):
        handled.append(envelope.payload)
        if envelope.payload == b"crash":
            raise ValueError("on purpose")

    async with running(python("a", kind(act), backoff=NO_BACKOFF)) as (system, watch):
        for payload in (b"1", b"crash", b"2", b"crash", b"3"):
            system.tell("a", payload)
        await settle()
        assert handled == [b"1", b"crash", b"2", b"crash", b"3"]
        assert len(watch.of(ChildExited)) == 2


async def test_a_failure_counts_although_the_function_wanted_to_stop():
    def act(context, _):
        context.stop()
        raise ValueError("on purpose")

    once = python("a", plain(act), restart=RestartType.TEMPORARY)
    async with running(once) as (system, watch):
        system.tell("a", b"")
        await settle()
        (end,) = watch.of(ChildExited)
        assert end.reason.kind is ExitKind.CRASH


async def test_a_failure_that_is_resumed_from_is_reported_once():
    def act(_, envelope):
        if envelope.payload:
            raise ValueError("on purpose")

    resumed = python("a", plain(act), on_error=((ValueError, Directive.RESUME),))
    async with running(resumed) as (system, watch):
        system.tell("a", b"x")
        system.tell("a", b"")
        await settle()
        assert len(watch.of(MessageFailed)) == 1
        assert watch.of(ChildExited) == []
        counted = system.mailbox("a")
        assert (counted.failed, counted.handled, counted.arrived) == (1, 1, 2)


async def test_a_task_beside_it_is_not_the_handler():
    kept = SimpleNamespace()

    def act(context, _):
        kept.context = context

    async with running(python("a", plain(act))) as (system, _):
        await system.ask("a", b"")
        assert tasks_of("a") == []
        with pytest.raises(RuntimeError, match="a task beside the handler"):
            kept.context.stash()


async def test_one_whose_name_is_taken_does_not_start():
    async with running(python("a", plain())) as (system, _):
        group = SupervisorSpec(name="below", children=(python("a", plain()),))
        answer = await system.supervisor("root").start_child(group)
        assert isinstance(answer, Refused)
        assert "local/a/0" in str(answer)
        assert await system.ask("a", b"") == b"nothing"


class Clock:
    """Goes on by some seconds whenever it is read."""

    def __init__(self, tick):
        self.tick, self.now = tick, 0.0

    def perf_counter(self):
        self.now += self.tick
        return self.now


async def passes_while_opening(monkeypatch, tick, *children, **options):
    """Return how many passes of the scheduler it takes to open a system."""
    monkeypatch.setattr(_inbox, "time", Clock(tick))
    passes, is_open = 0, False

    async def count():
        nonlocal passes
        while not is_open:
            await trio.lowlevel.checkpoint()
            passes += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        async with running(*children, **options) as (_, watch):
            is_open = True
        return passes, watch


async def test_many_are_started_in_one_step_but_do_not_hold_the_thread(monkeypatch):
    children = [python(f"a{number}", plain()) for number in range(100)]
    few, _ = await passes_while_opening(monkeypatch, 0.0, *children)
    step = _inbox.SECONDS_PER_STEP / 10
    more, _ = await passes_while_opening(monkeypatch, step, *children)
    most, _ = await passes_while_opening(monkeypatch, 1.0, *children)
    assert 8 <= more - few <= 12
    assert most - few == pytest.approx(100, abs=2)


async def test_each_is_ready_before_the_next_starts():
    log = []

    class Code:
        def __init__(self, name):
            log.append(f"{name} starts")

        async def started(self, context):
            for before in "abc":
                try:
                    await context.ask(before, b"", timeout=1)
                    log.append(f"{before} answers")
                except Exception:  # noqa: BLE001  # it is not there yet
                    log.append(f"{before} is not there")

        def handle(self, context, envelope):
            return b""

    children = [python("a", plain()), python("b", Code, arguments=("b",))]
    async with running(*children, python("c", plain())):
        assert log == ["b starts", "a answers", "b is not there", "c is not there"]


async def test_a_group_of_them_is_restarted_in_the_step_of_the_one_that_failed():
    def act(_, envelope):
        if envelope.payload:
            raise ValueError("on purpose")

    children = tuple(
        ActorSpec(
            id=ComponentId("local", name), behaviour=plain(act), backoff=NO_BACKOFF
        )
        for name in "abc"
    )
    group = SupervisorSpec(
        name="group", children=children, strategy=Strategy.ONE_FOR_ALL
    )
    async with running(group) as (system, watch):
        system.tell("b", b"x")
        await settle()
        started = [event.child for event in watch.of(ChildStarted)]
        assert started == ["local/a/0", "local/b/0", "local/c/0"]
        for name in "abc":
            assert await system.ask(name, b"") == b"nothing"
