"""What had happened before a supervisor closed, and is served while it closes."""

import pytest
import trio

from airssys.contracts import (
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    Ignored,
    Problem,
    Refusal,
    RestartType,
    SupervisorGaveUp,
)
from airssys.nursery import Ignore
from airssys.nursery.children._requests import (
    DeleteChild,
    StartChild,
    StartFromTemplate,
)

from .stage import acting, dynamic, group, worker

PERMANENT, TRANSIENT, TEMPORARY = RestartType


def keep_busy(stage):
    """Let it have something to do, so that what comes now is served behind that."""
    for _ in range(60):
        stage.supervisor.ask(DeleteChild("nobody"))


async def closing_behind(stage, names):
    """Post the wish to close, then let children crash before it is served."""
    keep_busy(stage)
    await trio.lowlevel.checkpoint()
    stage.root.ask_to_stop()
    for name in names:
        stage.scripted_children[name].end(ValueError("crash"))
    stage.log.clear()
    began = trio.current_time()
    await stage.root.wait_ended()
    assert trio.current_time() == began


@pytest.mark.parametrize("restart", RestartType)
@pytest.mark.parametrize("restarts", [0, 3])
async def test_a_dynamic_supervisor_that_closes_starts_no_child(
    restart, restarts, autojump_clock
):
    spec = dynamic(worker("w", restart=restart), restarts=restarts)
    async with acting(spec) as stage:
        for _ in range(3):
            await stage.admin.start_from_template()
        await closing_behind(stage, ["w/1", "w/3"])
        assert [line for line in stage.log if line.startswith("start")] == []
        assert stage.of(SupervisorGaveUp) == []
        ends = {e.child: e for e in stage.of(ChildExited)}
        assert len(stage.of(ChildExited)) == 3
        for child in ("local/w/1", "local/w/3"):
            assert not ends[child].asked
            assert not ends[child].restarting
            assert ends[child].problem is Problem.SHUTDOWN_ERROR
        assert ends["local/w/2"].asked


async def test_a_dynamic_supervisor_gives_up_once(autojump_clock):
    async with acting(dynamic(worker("w"), restarts=0)) as stage:
        for _ in range(4):
            await stage.admin.start_from_template()
        keep_busy(stage)
        await trio.lowlevel.checkpoint()
        for number in (1, 2, 3, 4):
            stage.scripted_children[f"w/{number}"].end(ValueError("crash"))
        await stage.root.wait_ended()
        assert len(stage.of(SupervisorGaveUp)) == 1
        assert len(stage.of(ChildExited)) == 4


async def test_a_retry_that_is_due_when_a_dynamic_supervisor_closes_is_not_made(
    autojump_clock,
):
    failing = [{}, {"start_error": ValueError("no")}]
    async with acting(dynamic(worker("w"), restarts=10**6), {"w/1": failing}) as stage:
        await stage.admin.start_from_template()
        stage.scripted_children["w/1"].end(ValueError("crash"))
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        stage.root.ask_to_stop()
        await stage.root.wait_ended()
        assert stage.living() == []


@pytest.mark.parametrize("kind", ["ordered", "dynamic"])
@pytest.mark.parametrize("way", ["ignores", "fails"])
async def test_a_start_that_came_to_nothing_before_closing_is_reported_as_it_was(
    kind, way, autojump_clock
):
    error = Ignore() if way == "ignores" else ValueError("no")
    habits = {"w": [{"start_error": error}]}
    spec = dynamic(worker("w")) if kind == "dynamic" else group()
    async with acting(spec, habits) as stage:
        ask = stage.supervisor.ask
        reply = ask(
            StartFromTemplate(())
            if kind == "dynamic"
            else StartChild(worker("w", restart=TEMPORARY))
        )
        for _ in range(60):
            ask(DeleteChild("nobody"))
        await trio.lowlevel.checkpoint()
        stage.root.ask_to_stop()
        await stage.root.wait_ended()
        answer = await reply.wait()
        assert stage.of(ChildStarted) == []
        if way == "ignores":
            assert isinstance(answer, Ignored)
            assert stage.of(ChildStartFailed) == []
            assert [e.problem for e in stage.of(ChildExited)] == [None]
        else:
            assert answer.why is Refusal.START_FAILED
            assert len(stage.of(ChildStartFailed)) == 1
            assert stage.of(ChildExited) == []
