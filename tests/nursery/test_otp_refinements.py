"""What OTP 27.3 was seen to do where its rules are short; each by the rule it refines."""

import pytest
import trio

from airssys.contracts import (
    BRUTAL_KILL,
    AutoShutdown,
    Backoff,
    ChildExited,
    Done,
    Growth,
    Ignored,
    Problem,
    RestartType,
    Started,
    Strategy,
    SupervisorGaveUp,
)
from airssys.nursery import Ignore
from airssys.nursery.children._requests import StartChild, TerminateChild

from .stage import acting, dynamic, group, worker

PERMANENT, TRANSIENT, TEMPORARY = RestartType
ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE = Strategy
GROUPING = [ONE_FOR_ALL, REST_FOR_ONE]
FAILING = {"start_error": ValueError("no")}
IGNORING = {"start_error": Ignore()}


def workers(names, **options):
    return [worker(name, **options) for name in names]


def lines(stage, *words):
    return [line for line in stage.log if line.partition(" ")[0] in words]


def problems(stage):
    return [e.problem for e in stage.of(ChildExited)]


async def passes(number):
    for _ in range(number):
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("strategy", Strategy)
async def test_47_a_shared_restart_also_starts_who_was_stopped(
    strategy, autojump_clock
):
    spec = group(*workers("ab"), worker("c", restart=TRANSIENT), strategy=strategy)
    async with acting(spec) as stage:
        await stage.admin.terminate_child("local/b/0")
        await stage.finish("c")
        assert stage.presences() == ["a:running", "b:none", "c:none"]
        await stage.crash("a")
        is_shared = strategy is not ONE_FOR_ONE
        state = "running" if is_shared else "none"
        assert stage.presences() == ["a:running", f"b:{state}", f"c:{state}"]


async def test_30_terminating_the_restarting_child_cancels_the_retry(autojump_clock):
    spec = group(*workers("abc"), strategy=REST_FOR_ONE, restarts=10**6)
    async with acting(spec, {"b": [{}, FAILING]}) as stage:
        stage.scripted_children["a"].end(ValueError())
        await passes(40)
        assert stage.presences() == ["a:running", "b:restarting", "c:none"]
        await stage.admin.terminate_child("local/b/0")
        await stage.settle()
        # Only what had already been restarted runs.
        assert stage.presences() == ["a:running", "b:none", "c:none"]


async def test_32_already_restarted_children_run_until_the_retry_runs(autojump_clock):
    slow_failure = {"start_seconds": 1, "start_error": ValueError("no")}
    spec = group(*workers("abc"), strategy=ONE_FOR_ALL)
    async with acting(spec, {"b": [{}, slow_failure, {}]}) as stage:
        await stage.crash("a")
        assert stage.presences() == ["a:running", "b:restarting", "c:none"]
        assert lines(stage, "ask") == ["ask c", "ask b"]
        await trio.sleep(1.1)
        assert lines(stage, "ask") == ["ask c", "ask b", "ask a"]
        assert stage.presences() == ["a:running", "b:running", "c:running"]


async def test_32_a_child_added_in_the_gap_is_stopped_and_started_again(autojump_clock):
    slow_failure = {"start_seconds": 1, "start_error": ValueError("no")}
    spec = group(*workers("ab"), strategy=ONE_FOR_ALL)
    async with acting(spec, {"b": [{}, slow_failure, {}]}) as stage:
        await stage.crash("a")
        # Asked for while the first try runs, so served before the second one.
        reply = stage.supervisor.ask(StartChild(worker("z")))
        await trio.sleep(1.1)
        assert await reply.wait() == Started("local/z/0")
        assert lines(stage, "start", "ask").count("start z") == 2
        assert "ask z" in stage.log
        assert stage.presences() == ["a:running", "b:running", "z:running"]


@pytest.mark.parametrize("strategy", Strategy)
async def test_34_simultaneous_crashes_cost_one_shared_restart(
    strategy, autojump_clock
):
    spec = group(*workers("abc"), strategy=strategy, restarts=1)
    async with acting(spec) as stage:
        for name in "ab":
            stage.scripted_children[name].end(ValueError())
        await stage.settle()
        gave_up = len(stage.of(SupervisorGaveUp)) == 1
        if strategy is ONE_FOR_ALL:
            assert not gave_up
            assert problems(stage) == [
                Problem.CHILD_TERMINATED,
                None,
                Problem.SHUTDOWN_ERROR,
            ]
        elif strategy is ONE_FOR_ONE:
            assert gave_up


async def test_34_under_rest_for_one_the_earlier_crash_takes_the_later_one(
    autojump_clock,
):
    spec = group(*workers("abc"), strategy=REST_FOR_ONE, restarts=1)
    async with acting(spec, {"c": [{"stop_seconds": 1}]}) as stage:
        await stage.crash("a")
        stage.scripted_children["b"].end(ValueError())  # while c is being stopped
        await trio.sleep(2)
        assert stage.of(SupervisorGaveUp) == []
        assert Problem.SHUTDOWN_ERROR in problems(stage)
        assert stage.presences() == ["a:running", "b:running", "c:running"]


async def test_14_ignore_by_hand_keeps_the_place_of_a_temporary_child(autojump_clock):
    """OTP 25 and 27 do; the child is one that became temporary while it was stopped."""
    spec = group(worker("a"), worker("b"))
    async with acting(spec, {"a": [{}, IGNORING, {}]}) as stage:
        await stage.admin.terminate_child("local/a/0")
        changed = group(worker("a", restart=TEMPORARY), worker("b"))
        assert await stage.admin.change_specs(changed) == Done()
        ignored = await stage.admin.restart_child("local/a/0")
        assert isinstance(ignored, Ignored)
        assert stage.presences() == ["a:none", "b:running"]
        assert isinstance(await stage.admin.restart_child("local/a/0"), Started)


@pytest.mark.parametrize("outcome", ["ignored", "restarting"])
async def test_50_ignored_counts_as_inactive_restarting_as_active(
    outcome, autojump_clock
):
    marked = {"restart": TRANSIENT, "significant": True}
    spec = group(
        *workers("ab", **marked),
        worker("c"),
        auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
        restarts=10**6,
    )
    after = IGNORING if outcome == "ignored" else FAILING
    async with acting(spec, {"b": [{}, after]}) as stage:
        stage.scripted_children["b"].end(ValueError())
        await passes(20)
        stage.scripted_children["a"].end()
        await passes(20)
        assert (stage.root.reason is not None) is (outcome == "ignored")


@pytest.mark.parametrize("mode", list(AutoShutdown)[1:])
async def test_51_a_temporary_significant_child_stopped_for_a_sibling_is_forgotten(
    mode, autojump_clock
):
    marked = worker("b", restart=TEMPORARY, significant=True)
    spec = group(worker("a"), marked, strategy=ONE_FOR_ALL, auto_shutdown=mode)
    async with acting(spec) as stage:
        await stage.crash("a")
        assert stage.presences() == ["a:running"]
        assert stage.root.reason is None


@pytest.mark.parametrize("restart", RestartType)
async def test_43_killed_is_reported_unless_it_was_brutal(restart, autojump_clock):
    options = {"restart": restart, "shutdown": 1.0}
    brutal = {"restart": restart, "shutdown": BRUTAL_KILL}
    spec = group(worker("a", **options), worker("b", **brutal))
    async with acting(spec, {"a": [{"stop_seconds": 99}]}) as stage:
        await stage.root.stop(99)
        assert problems(stage) == [None, Problem.SHUTDOWN_ERROR]


async def test_43_an_error_raised_while_being_stopped_is_a_shutdown_error(
    autojump_clock,
):
    bad = {"stop_error": ExceptionGroup("g", [ValueError("one")])}
    async with acting(group(worker("a")), {"a": [bad]}) as stage:
        await stage.admin.terminate_child("local/a/0")
        (exited,) = stage.of(ChildExited)
        assert exited.problem is Problem.SHUTDOWN_ERROR
        assert str(exited.reason) == "crash (ValueError: one)"
        assert stage.root.reason is None


async def test_40_without_any_time_a_prompt_child_still_shuts_down(autojump_clock):
    async with acting(group(worker("a", shutdown=0.0))) as stage:
        await stage.root.stop(99)
        assert stage.exits() == [("local/a/0", "shutdown", True)]


async def test_56_changed_specs_replace_the_stop_rule_of_running_children(
    autojump_clock,
):
    async with acting(group(*workers("ab"))) as stage:
        changed = group(worker("b", shutdown=BRUTAL_KILL))
        assert await stage.admin.change_specs(changed) == Done()
        await stage.root.stop(99)
        assert stage.exits() == [
            ("local/a/0", "shutdown", True),
            ("local/b/0", "killed", True),
        ]


@pytest.mark.parametrize("strategy", Strategy)
async def test_14_ignoring_a_restart_keeps_the_place_and_stops_no_other_child(
    strategy, autojump_clock
):
    spec = group(*workers("abc"), strategy=strategy)
    async with acting(spec, {"b": [{}, IGNORING]}) as stage:
        await stage.crash("b")
        assert stage.presences() == ["a:running", "b:none", "c:running"]


async def test_12_failed_starts_of_a_restarted_supervisor_count_against_its_parent(
    autojump_clock,
):
    inner = group(worker("a"), name="inner", restarts=0)
    habits = {"a": [{}, FAILING, FAILING, {}]}
    async with acting(group(inner, restarts=3), habits) as stage:
        await stage.crash("a")
        assert stage.root.reason is None
        # It begins with a fresh budget: two more crashes, each one restart of it.
        assert [e.supervisor for e in stage.of(SupervisorGaveUp)] == ["root/inner"]
        await stage.crash("a")
        offenders = [e.supervisor for e in stage.of(SupervisorGaveUp)]
        assert offenders == ["root/inner", "root/inner", "root"]


async def test_55_terminating_a_restarting_dynamic_child_keeps_the_count_right(
    autojump_clock,
):
    spec = dynamic(worker("a"), restarts=10**6)
    async with acting(spec, {"a/1": [{}, FAILING]}) as stage:
        for _ in range(2):
            await stage.admin.start_from_template()
        stage.scripted_children["a/1"].end(ValueError())
        await passes(20)
        await stage.admin.terminate_child("local/a/1")
        counted = stage.admin.count_children()
        assert (counted.specs, counted.active) == (1, 1)


# ------------------------------------------------ what takes long does not delay others


async def test_a_slow_start_blocks_neither_restarts_nor_requests(autojump_clock):
    slow = {"start_seconds": 100}
    async with acting(group(*workers("ab")), {"z": [slow]}) as stage:
        reply = stage.supervisor.ask(StartChild(worker("z", start_timeout=999.0)))
        await stage.settle()
        await stage.crash("a")
        assert stage.presences() == ["a:running", "b:running", "z:restarting"]
        await stage.admin.terminate_child("local/b/0")
        assert trio.current_time() == 0
        assert await reply.wait() == Started("local/z/0")


@pytest.mark.parametrize("strategy", GROUPING)
async def test_a_slow_group_restart_can_be_cut_short(strategy, autojump_clock):
    slow = {"start_seconds": 100}
    spec = group(*workers("abc", start_timeout=999.0), strategy=strategy)
    async with acting(spec, {"b": [{}, slow]}) as stage:
        await stage.crash("a")
        assert await stage.admin.terminate_child("local/b/0") == Done("local/b/0")
        await stage.settle()
        # One that does not read its context while it starts is cancelled after its shutdown time.
        assert stage.presences() == ["a:running", "b:none", "c:none"]
        assert trio.current_time() == pytest.approx(5)


@pytest.mark.parametrize("strategy", GROUPING)
async def test_terminating_one_whose_turn_is_still_to_come(strategy, autojump_clock):
    slow = {"stop_seconds": 5}
    spec = group(*workers("abcd"), strategy=strategy)
    async with acting(spec, {"d": [slow]}) as stage:
        await stage.crash("a")  # d is being stopped, then c and b
        replies = [
            stage.supervisor.ask(TerminateChild(f"local/{name}/0")) for name in "bd"
        ]
        await trio.sleep(6)
        for reply in replies:
            assert isinstance(await reply.wait(), Done)
        assert stage.presences() == ["a:running", "b:none", "c:running", "d:none"]


async def test_a_request_that_is_no_longer_waited_for_is_carried_out(autojump_clock):
    async with acting(
        group(worker("a", shutdown=9.0)), {"a": [{"stop_seconds": 5}]}
    ) as (stage):
        with trio.move_on_after(1):
            await stage.admin.terminate_child("local/a/0")
        await trio.sleep(10)
        assert stage.presences() == ["a:none"]


@pytest.mark.parametrize("kill", [False, True])
async def test_requests_that_wait_when_the_supervisor_ends_are_answered(
    kill, autojump_clock
):
    spec = group(*workers("ab"), strategy=ONE_FOR_ALL)
    async with acting(spec, {"z": [{"start_seconds": 50}]}) as stage:
        replies = [stage.supervisor.ask(StartChild(worker(n))) for n in "zy"]
        replies.append(stage.supervisor.ask(TerminateChild("local/a/0")))
        await stage.settle()
        if kill:
            stage.root.kill()
        else:
            stage.root.ask_to_stop()
        await stage.root.wait_ended()
        with trio.fail_after(1):
            for reply in replies:
                await reply.wait()


@pytest.mark.parametrize("strategy", GROUPING)
async def test_what_starts_children_waits_for_the_round_under_way(
    strategy, autojump_clock
):
    slow = {"stop_seconds": 5}
    spec = group(*workers("abc"), strategy=strategy)
    async with acting(spec, {"c": [slow, {}]}) as stage:
        await stage.admin.terminate_child("local/b/0")
        await stage.crash("a")  # c is being stopped
        asked = [stage.supervisor.ask(StartChild(worker("z")))]
        await stage.settle()
        assert "start z" not in stage.log
        assert len(stage.admin.which_children()) == 3
        await trio.sleep(6)
        starts = lines(stage, "start")
        assert starts == ["start a", "start b", "start c", "start z"]
        assert await asked[0].wait() == Started("local/z/0")


async def test_a_restart_that_was_cancelled_is_not_made_later(autojump_clock):
    pausing = Backoff(growth=Growth.CONSTANT, first=10.0)
    async with acting(group(worker("a", backoff=pausing))) as stage:
        await stage.crash("a")
        await stage.admin.terminate_child("local/a/0")
        await trio.sleep(1)
        await stage.admin.restart_child("local/a/0")
        await trio.sleep(20)
        assert lines(stage, "start") == ["start a"]
        await stage.crash("a")
        await trio.sleep(1)
        await stage.admin.terminate_child("local/a/0")
        await trio.sleep(20)
        assert stage.presences() == ["a:none"]
