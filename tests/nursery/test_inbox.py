"""What a supervisor is notified of, and in whose step."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from contextvars import ContextVar

import attrs
import pytest
import trio
import trio.testing

from airssys.contracts import NO_BACKOFF, ChildStarted, TaskSpec
from airssys.nursery import Declared
from airssys.nursery.children._child import Child
from airssys.nursery.children._inbox import Inbox, RetryDue, StopAsked
from airssys.nursery.children._requests import StartChild
from airssys.nursery.tree._supervisor_cell import SupervisorCell
from pace import passes_of

from .company import running
from .stage import ScriptedCell, Stage, acting, group

settle = trio.testing.wait_all_tasks_blocked


def notice(number):
    return RetryDue(number, None)


@attrs.define(eq=False)
class Server:
    """Serves notices, and remembers which, and in whose step."""

    inbox: Inbox = attrs.Factory(Inbox)
    served: list = attrs.Factory(list)
    act: object = lambda _: None
    task: object = None
    error: BaseException | None = None
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)

    async def run(self):
        self.task = trio.lowlevel.current_task()
        with self.scope:
            try:
                await self.inbox.serve(
                    self.take, lambda: self.served[-1:] == [(StopAsked, True)]
                )
            except ValueError as error:
                self.error = error

    def take(self, each):
        if isinstance(each, StopAsked):
            self.served.append((StopAsked, True))
            return
        self.served.append((each.slot, trio.lowlevel.current_task() is self.task))
        self.act(each.slot)


@asynccontextmanager
async def serving():
    server = Server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        await settle()
        yield server
        server.inbox.post(StopAsked())


async def test_what_a_child_brings_is_served_in_its_step_while_the_server_is_parked():
    async with serving() as server:
        server.inbox.serve_or_post(notice(1))
        server.inbox.serve_or_post(notice(2))
        assert server.served == [(1, False), (2, False)]


async def test_what_is_posted_is_served_by_the_server():
    async with serving() as server:
        server.inbox.post(notice(1))
        assert server.served == []
        await settle()
        assert server.served == [(1, True)]


async def test_the_order_is_that_in_which_they_came():
    async with serving() as server:
        server.inbox.serve_or_post(notice(1))
        server.inbox.post(notice(2))
        server.inbox.serve_or_post(notice(3))
        server.inbox.post(notice(4))
        await settle()
        server.inbox.serve_or_post(notice(5))
        assert server.served == [
            (1, False),
            (2, True),
            (3, True),
            (4, True),
            (5, False),
        ]


@pytest.mark.parametrize("way", ["serve_or_post", "post"])
@pytest.mark.parametrize("first", ["serve_or_post", "post"])
async def test_what_serving_leads_to_is_served_after_it(first, way):
    log = []

    async with serving() as server:

        def act(number):
            log.append(f"begin {number}")
            if number == 1:
                getattr(server.inbox, way)(notice(2))
            log.append(f"end {number}")

        server.act = act
        getattr(server.inbox, first)(notice(1))
        await settle()
        assert log == ["begin 1", "end 1", "begin 2", "end 2"]
        server.inbox.serve_or_post(notice(3))
        assert server.served[1:] == [(2, True), (3, False)]


async def test_the_server_goes_on_once_it_is_done_in_the_step_of_another():
    async with trio.open_nursery() as nursery:
        server = Server()
        nursery.start_soon(server.run)
        await settle()
        server.inbox.serve_or_post(StopAsked())
    assert server.served == [(StopAsked, True)]


async def test_a_notice_is_served_with_a_checkpoint_before_it_unless_it_was_waited_for():
    async with serving() as server:
        for number in range(5):
            server.inbox.post(notice(number))
        _, passes = await passes_of(settle)
        assert len(server.served) == 5
        assert passes >= 5


@pytest.mark.parametrize("posts", [0, 1])
async def test_what_serving_raises_is_raised_in_the_server(posts):
    async with serving() as server:

        def fail(_):
            for number in range(posts):
                server.inbox.post(notice(number))
            raise ValueError("broken")

        server.act = fail
        server.inbox.serve_or_post(notice(1))
        await settle()
        assert str(server.error) == "broken"


@pytest.mark.parametrize("way", ["serve_or_post", "post"])
async def test_a_killed_server_serves_nothing_more(way):
    async with serving() as server:
        server.scope.cancel()
        getattr(server.inbox, way)(notice(1))
        await settle()
        assert server.served == []
        assert [each.slot for each in server.inbox.unread()] == [1]


async def test_a_server_that_is_killed_while_another_task_serves_for_it():
    async with serving() as server:
        server.act = lambda _: server.scope.cancel()
        server.inbox.serve_or_post(notice(1))
        await settle()
        assert server.scope.cancelled_caught
        server.inbox.serve_or_post(notice(2))
        assert server.served == [(1, False)]


async def test_an_error_while_the_server_is_killed_is_not_lost():
    async with serving() as server:

        def fail(_):
            server.scope.cancel()
            raise ValueError("broken")

        server.act = fail
        with pytest.raises(ValueError, match="broken"):
            server.inbox.serve_or_post(notice(1))


# ------------------------------------------------------------------ of supervisors

colour: ContextVar[str] = ContextVar("colour", default="plain")


def painter(crashes=0):
    """What a task runs, and the colours that its runs began with."""
    seen = []

    async def paint(task):
        seen.append(colour.get())
        colour.set("red")
        task.started()
        if len(seen) <= crashes:
            raise ValueError("once more")
        await task.stop_asked.wait()

    return paint, seen


async def test_a_child_inherits_nothing_of_the_sibling_that_was_ready_before_it():
    paint, seen = painter()
    colour.set("blue")
    children = [TaskSpec(name=f"t{n}", function=paint, context=True) for n in range(3)]
    async with running(*children):
        assert seen == ["blue"] * 3


def of_tasks(function):
    task = TaskSpec(name="t", function=function, context=True, backoff=NO_BACKOFF)
    return attrs.evolve(group(restarts=5), children=(task,))


async def test_a_restarted_child_inherits_nothing_of_what_crashed():
    paint, seen = painter(crashes=2)
    async with acting(of_tasks(paint)):
        await settle()
        assert seen == ["plain"] * 3


async def test_ctrl_c_cannot_come_between_what_a_supervisor_does_for_a_task():
    protected = []

    async def serve(task):
        assert not trio.lowlevel.currently_ki_protected()
        task.started()
        await task.stop_asked.wait()

    def note(event):
        if isinstance(event, ChildStarted):
            protected.append(trio.lowlevel.currently_ki_protected())

    task = TaskSpec(name="t", function=serve, context=True)
    cell = SupervisorCell(Declared(group()), "root", ScriptedCell, note)
    supervisor = cell.incarnate()
    async with trio.open_nursery() as nursery:
        stage = Stage()
        child = Child("root", supervisor, math.inf, stage)
        child.start(nursery)
        await stage.ready.wait()
        await supervisor.ask(StartChild(task)).wait()
        await child.stop(math.inf)
    assert protected == [True]


async def test_each_child_that_starts_takes_one_pass():
    names = [f"t{number}" for number in range(20)]
    tasks = tuple(TaskSpec(name=name, function=trio.sleep_forever) for name in names)
    async with acting(attrs.evolve(group(), children=tasks), wait=False) as stage:
        _, passes = await passes_of(stage.ready.wait)
        assert [child for child, _ in stage.starts()] == names
        # One more to begin, and one for the supervisor to see that it is open.
        assert passes <= len(names) + 3


async def test_a_crashed_child_is_back_after_one_pass():
    ends = [trio.Event(), trio.Event()]

    async def crash(task):
        task.started()
        await ends[-1].wait()
        raise ValueError("on purpose")

    async with acting(of_tasks(crash)) as stage:
        ends.pop().set()
        # To crash, to start again; the third sees both, whichever goes first in a pass.
        for _ in range(3):
            await trio.lowlevel.checkpoint()
        assert stage.starts() == [("t", 0), ("t", 1)]
        ends.pop().set()
