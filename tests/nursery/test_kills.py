"""A child that is killed by request, and a supervisor that is: what ends, how, in order."""

import pytest
import trio

from airssys.contracts import (
    BRUTAL_KILL,
    ChildExited,
    ChildUnstopped,
    Done,
    ExitKind,
    Problem,
    Refusal,
    Refused,
    RestartType,
    Strategy,
    SupervisorGaveUp,
)
from airssys.nursery import Administration

from .stage import acting, dynamic, group, worker

pytestmark = pytest.mark.usefixtures("handler_kind")

TRANSIENT, TEMPORARY = RestartType.TRANSIENT, RestartType.TEMPORARY
KILLED, SHUTDOWN = ExitKind.KILLED, ExitKind.SHUTDOWN


def ends(stage):
    return [(e.supervisor, e.child, e.reason.kind) for e in stage.of(ChildExited)]


@pytest.mark.parametrize("kind", ["ordered", "dynamic"])
@pytest.mark.parametrize("restart", RestartType)
async def test_a_killed_worker_is_judged_like_one_that_crashed(
    restart, kind, autojump_clock
):
    spec = worker("a", restart=restart)
    tree = dynamic(spec) if kind == "dynamic" else group(spec)
    async with acting(tree, {"a": [{"stop_seconds": 99}]}) as stage:
        name = "local/a/0"
        if kind == "dynamic":
            name = (await stage.admin.start_from_template()).child
        assert await stage.admin.kill_child(name) == Done(name)
        assert trio.current_time() == 0
        await stage.settle()
        (ended,) = stage.of(ChildExited)
        returns = restart is not TEMPORARY
        assert ended.reason.kind is KILLED
        assert ended.problem is Problem.CHILD_TERMINATED
        assert (ended.asked, ended.restarting) == (False, returns)
        assert len(stage.living()) == returns
        await stage.admin.terminate_child(name)
    assert stage.alive == []


async def test_kills_count_as_restarts(autojump_clock):
    async with acting(group(worker("a"), restarts=1)) as stage:
        for _ in range(2):
            await stage.admin.kill_child("local/a/0")
        await stage.root.wait_ended()
        assert len(stage.of(SupervisorGaveUp)) == 1


async def test_what_does_not_run_is_not_killed(autojump_clock):
    async with acting(group(worker("a"), worker("b"))) as stage:
        refused = Refused(Refusal.NOT_FOUND, "nobody")
        assert await stage.admin.kill_child("nobody") == refused
        await stage.admin.terminate_child("local/a/0")
        assert await stage.admin.kill_child("local/a/0") == Done("local/a/0")
        assert stage.presences() == ["a:none", "b:running"]
        assert len(stage.of(ChildExited)) == 1


async def test_one_that_is_gone_for_good_is_as_good_as_killed(autojump_clock):
    async with acting(dynamic(worker("w"))) as stage:
        name = (await stage.admin.start_from_template()).child
        await stage.admin.terminate_child(name)
        assert await stage.admin.kill_child(name) == Done(name)
        assert (await stage.admin.kill_child("local/w/2")).why is Refusal.NOT_FOUND


async def test_a_kill_cuts_a_stop_short(autojump_clock):
    slow = {"stop_seconds": 50}
    async with acting(group(worker("a", shutdown=60.0)), {"a": [slow]}) as stage:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.admin.terminate_child, "local/a/0")
            await trio.sleep(1)
            await stage.admin.kill_child("local/a/0")
        assert trio.current_time() == 1
        (ended,) = stage.of(ChildExited)
        assert ended.asked
        assert ended.reason.kind is KILLED
        assert stage.presences() == ["a:none"]


async def test_a_kill_of_one_that_starts_is_a_failed_start(autojump_clock):
    slow = {"start_seconds": 5}
    async with acting(group(), {"a": [slow]}) as stage:
        answers = []

        async def add():
            answers.append(await stage.admin.start_child(worker("a")))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await trio.sleep(1)
            await stage.admin.kill_child("local/a/0")
        (answer,) = answers
        assert answer.why is Refusal.START_FAILED
        assert answer.reason.kind is KILLED
        assert stage.presences() == []


INNER = group(
    worker("b"),
    group(worker("d"), worker("e", shutdown=BRUTAL_KILL), name="sub"),
    worker("c"),
    name="inner",
)


async def test_a_killed_supervisor_ends_its_children_in_order(autojump_clock):
    """As OTP 25 was seen to do it, but that the parent waits for all to be gone."""
    async with acting(group(worker("a"), INNER)) as stage:
        assert await stage.admin.kill_child("inner") == Done("inner")
        gone = [line for line in stage.log if line.startswith("end")]
        assert gone == ["end c", "end e", "end d", "end b"]
        assert ends(stage) == [
            ("root/inner/sub", "local/e/0", KILLED),
            ("root/inner/sub", "local/d/0", SHUTDOWN),
            ("root/inner", "local/c/0", KILLED),
            ("root/inner", "sub", KILLED),
            ("root/inner", "local/b/0", KILLED),
            ("root", "inner", KILLED),
        ]
        # Only the parent is left to report what ended below.
        reported = {e.child: e.problem for e in stage.of(ChildExited) if e.problem}
        assert reported == {"inner": Problem.CHILD_TERMINATED}
        await stage.settle()
        assert trio.current_time() == 0
        assert sorted(stage.living()) == ["a", "b", "c", "d", "e"]


async def test_no_caller_waits_for_one_that_does_not_end(autojump_clock):
    hostile = {"ignores_cancel_for": 7}
    habits = {"e": [hostile, {}], "c": [hostile, {}]}
    async with acting(group(INNER), habits) as stage:
        log = stage.log
        await stage.admin.kill_child("inner")
        assert trio.current_time() == 7
        gone = [line for line in log if line.startswith("end")]
        assert gone[:2] == ["end d", "end b"]  # they did not wait
        assert sorted(gone[2:]) == ["end c", "end e"]
        unstopped = {e.child for e in stage.of(ChildUnstopped)}
        assert unstopped >= {"local/c/0", "local/e/0"}
        await stage.settle()
        assert sorted(stage.living()) == ["b", "c", "d", "e"]


async def test_children_of_a_killed_dynamic_supervisor_end_together(autojump_clock):
    pool = dynamic(worker("w"), name="pool")
    async with acting(group(pool), {"w/2": [{"ignores_cancel_for": 2}]}) as stage:
        inner = stage.supervisor.roster.find("pool").cell
        for _ in range(3):
            await Administration(lambda: inner.present).start_from_template()
        await stage.admin.kill_child("pool")
        assert trio.current_time() == 2
        assert sorted(ends(stage)[:-1]) == sorted(
            ("root/pool", f"local/w/{n}", KILLED) for n in (1, 2, 3)
        )
        assert stage.living() == []
        assert Administration(lambda: inner.present).which_children() == ()


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_killed_supervisor_is_restarted_as_the_strategy_says(
    strategy, autojump_clock
):
    tree = group(worker("a"), INNER, worker("z"), strategy=strategy)
    async with acting(tree) as stage:
        stage.log.clear()
        await stage.admin.kill_child("inner")
        await stage.settle()
        started = [line[-1] for line in stage.log if line.startswith("start")]
        expected = {
            Strategy.ONE_FOR_ONE: "bdec",
            Strategy.ONE_FOR_ALL: "abdecz",
            Strategy.REST_FOR_ONE: "bdecz",
        }
        assert "".join(started) == expected[strategy]


async def test_a_supervisor_says_what_it_goes_by_and_whether_it_is_up(autojump_clock):
    pool = dynamic(worker("w"), name="pool")
    slow = {"start_seconds": 5, "stop_seconds": 3}
    tree = group(pool, worker("a"))
    async with acting(tree, {"a": [slow]}, wait=False) as stage:
        cell = None
        pool_admin = Administration(lambda: cell.present if cell else None)
        assert pool_admin.own_spec() is None
        assert pool_admin.template() is None
        assert not pool_admin.is_up()
        await trio.sleep(1)
        assert not stage.admin.is_up()  # it still starts
        cell = stage.supervisor.roster.find("pool").cell
        assert pool_admin.is_up()
        await trio.sleep(5)
        assert stage.admin.is_up()
        assert stage.admin.own_spec() == tree
        assert stage.admin.template() is None
        assert pool_admin.own_spec() == pool
        assert pool_admin.template() == pool.template
        stage.root.ask_to_stop()
        await trio.sleep(1)
        assert not stage.admin.is_up()  # it stops
        await stage.root.wait_ended()
        assert not stage.admin.is_up()
        assert not pool_admin.is_up()
