"""What happens while children are started: ends of siblings, and requests to stop."""

import pytest
import trio

from airssys.contracts import (
    BRUTAL_KILL,
    AutoShutdown,
    ChildExited,
    ChildStartFailed,
    Directive,
    Done,
    ExitKind,
    Problem,
    Refusal,
    RestartType,
    Started,
    Strategy,
    SupervisorGaveUp,
)
from airssys.nursery.children._requests import DeleteChild, StartChild, TerminateChild

from .stage import acting, group, worker

PERMANENT, TRANSIENT, TEMPORARY = RestartType
SLOW = {"start_seconds": 5}
FAILING = {"start_error": ValueError("no")}

WHYS = {False: [Refusal.CUT_OFF], True: [Refusal.CUT_OFF, Refusal.START_FAILED]}
"""Why a start failed that was cut off; the failure may have been first."""
ENDINGS = {
    "gives up": {"restarts": 0},
    "any significant": {"auto_shutdown": AutoShutdown.ANY_SIGNIFICANT},
    "all significant": {"auto_shutdown": AutoShutdown.ALL_SIGNIFICANT},
    "escalates": {},
}
"""Why a supervisor ends by the end of `a`, and what it needs for that."""


def ending(why, **options):
    """Make a supervisor that ends as soon as `a` crashes; its `b` starts slowly."""
    significant = {"restart": TEMPORARY, "significant": True}
    own = (
        {"on_error": ((ValueError, Directive.ESCALATE),)} if why == "escalates" else {}
    )
    own = significant if "significant" in why else own
    slow = worker("b", shutdown=BRUTAL_KILL)
    return group(worker("a", **own), slow, **ENDINGS[why], **options)


async def opened(stage):
    """Wait until it has started, and has served what was put off."""
    with trio.fail_after(9):
        await stage.ready.wait()
    await stage.settle()


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("why", ENDINGS)
async def test_12_an_end_of_one_that_had_started_fails_no_start(
    why, strategy, autojump_clock
):
    inner = ending(why, name="inner", strategy=strategy, restart=TEMPORARY)
    tree = group(inner, worker("c"))
    async with acting(tree, {"b": [SLOW]}, wait=False) as stage:
        await stage.settle()
        await stage.crash("a")
        assert stage.root.reason is None
        await opened(stage)
        assert trio.current_time() == 5
        assert stage.of(ChildStartFailed) == []
        kind = ExitKind.CRASH if why == "escalates" else ExitKind.SHUTDOWN
        (ended,) = (e for e in stage.of(ChildExited) if e.child == "inner")
        assert ended.reason.kind is kind
        assert len(stage.of(SupervisorGaveUp)) == (why == "gives up")
        assert stage.presences() == ["c:running"]


@pytest.mark.parametrize("strategy", Strategy)
async def test_50_one_that_is_still_to_be_started_counts_as_active(
    strategy, autojump_clock
):
    marked = {"restart": TRANSIENT, "significant": True}
    rule = AutoShutdown.ALL_SIGNIFICANT
    children = worker("a", **marked), worker("slow"), worker("b", **marked)
    spec = group(*children, auto_shutdown=rule, strategy=strategy)
    async with acting(spec, {"slow": [SLOW]}, wait=False) as stage:
        await stage.settle()
        await stage.finish("a")
        await opened(stage)
        assert stage.presences() == ["a:none", "slow:running", "b:running"]
        await stage.finish("b")
        assert stage.root.reason.kind is ExitKind.SHUTDOWN


@pytest.mark.parametrize("why", ENDINGS)
async def test_13_a_failed_start_comes_before_an_end_that_was_put_off(
    why, autojump_clock
):
    async with acting(ending(why), {"b": [SLOW | FAILING]}, wait=False) as stage:
        await stage.settle()
        await stage.crash("a")
        reason = await stage.root.wait_ended()
        assert type(reason.error).__name__ == "StartFailed"
        assert [e.child for e in stage.of(ChildStartFailed)] == ["local/b/0"]
        ended = [(e.child, e.problem) for e in stage.of(ChildExited)]
        assert ended == [("local/a/0", Problem.SHUTDOWN_ERROR)]
        assert stage.of(SupervisorGaveUp) == []


@pytest.mark.parametrize("why", ENDINGS)
async def test_45_an_end_that_was_put_off_delays_no_stop(why, autojump_clock):
    async with acting(ending(why), {"b": [SLOW]}, wait=False) as stage:
        await stage.settle()
        await stage.crash("a")
        reason = await stage.root.stop(99)
        assert trio.current_time() == 0
        assert reason.kind is ExitKind.SHUTDOWN


@pytest.mark.parametrize("start", [{}, FAILING])
async def test_33_restarts_are_judged_when_their_turn_comes(start, autojump_clock):
    """A crash, and a restart that fails, one too many while `b` starts, not after."""
    spec = group(worker("a"), worker("b"), restarts=1, period=4.0)
    async with acting(spec, {"a": [{}, start, {}], "b": [SLOW]}, wait=False) as stage:
        await stage.settle()
        await stage.crash("a")
        if not start:
            await stage.crash("a")
        assert stage.presences()[0] != "a:none"
        await opened(stage)
        assert stage.of(SupervisorGaveUp) == []
        assert stage.presences() == ["a:running", "b:running"]


@pytest.mark.parametrize("restart", RestartType)
@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("start", [SLOW, FAILING])
async def test_a_new_child_that_is_stopped_before_it_is_ready_is_forgotten(
    start, strategy, restart, autojump_clock
):
    spec = group(worker("z"), strategy=strategy)
    async with acting(spec, {"a": [start, {}]}) as stage:
        new = worker("a", restart=restart)
        started = stage.supervisor.ask(StartChild(new))
        stopped = stage.supervisor.ask(TerminateChild("local/a/0"))
        assert await stopped.wait() == Done("local/a/0")
        assert (await started.wait()).why in WHYS[start is FAILING]
        assert stage.presences() == ["z:running"]
        assert await stage.admin.start_child(new) == Started("local/a/0")


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_known_child_that_is_stopped_while_it_starts_again_is_kept(
    strategy, autojump_clock
):
    spec = group(worker("a"), strategy=strategy)
    async with acting(spec, {"a": [{}, SLOW, {}]}) as stage:
        await stage.admin.terminate_child("local/a/0")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.admin.restart_child, "local/a/0")
            await trio.sleep(1)
            await stage.admin.terminate_child("local/a/0")
        assert stage.presences() == ["a:none"]
        assert await stage.admin.restart_child("local/a/0") == Started("local/a/0")


@pytest.mark.parametrize("name", ["a", "b"])
async def test_a_child_is_deleted_only_after_the_restart_that_it_is_part_of(
    name, autojump_clock
):
    spec = group(worker("a"), worker("b"), strategy=Strategy.ONE_FOR_ALL)
    async with acting(spec, {"a": [{}, SLOW]}) as stage:
        await stage.crash("a")
        deleted = stage.supervisor.ask(DeleteChild(f"local/{name}/0"))
        assert (await deleted.wait()).why is Refusal.RUNNING
        assert stage.presences() == ["a:running", "b:running"]
