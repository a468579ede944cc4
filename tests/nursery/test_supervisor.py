"""OTP's rules for one_for_one, each by its number."""

import pytest
import trio

from airssys.contracts import (
    BRUTAL_KILL,
    CapacityReached,
    ChildExited,
    ChildStartFailed,
    ChildUnstopped,
    ExitKind,
    RestartType,
    StartFailed,
    SupervisorGaveUp,
)
from airssys.nursery.restarts._exit_reason import GaveUp, Stop
from airssys.nursery.restarts._plan import RETRY_PAUSE

from .stage import SlotState, acting, group, worker

PERMANENT, TRANSIENT, TEMPORARY = RestartType


async def test_rule_12_children_start_one_after_the_other(autojump_clock):
    slow = {"start_seconds": 5}
    spec = group(worker("a"), worker("b"), worker("c"))
    async with acting(spec, {"a": [slow], "b": [slow]}, wait=False) as stage:
        await trio.sleep(1)
        assert stage.log == ["start a"]
        await trio.sleep(5)
        assert stage.log == ["start a", "start b"]
        assert not stage.ready.is_set()
        await stage.ready.wait()
        assert trio.current_time() == pytest.approx(10)
        assert stage.starts() == [(f"local/{n}/0", 0) for n in "abc"]


async def test_rule_13_a_failing_start_stops_the_earlier_ones_in_reverse(
    autojump_clock,
):
    spec = group(worker("a"), worker("b"), worker("c"), worker("d"))
    bad = {"start_error": ValueError("no")}
    async with acting(spec, {"c": [bad]}, wait=False) as stage:
        reason = await stage.root.wait_ended()
        assert reason.kind is ExitKind.SHUTDOWN
        assert isinstance(reason.error, StartFailed)
        assert (reason.error.supervisor, reason.error.child) == ("root", "local/c/0")
        assert isinstance(reason.error.reason.error, ValueError)
        asked = [line for line in stage.log if line.startswith("ask")]
        assert asked == ["ask b", "ask a"]
        assert "start d" not in stage.log
        assert [e.child for e in stage.of(ChildStartFailed)] == ["local/c/0"]


async def test_a_child_that_does_not_become_ready_in_time_fails_to_start(
    autojump_clock,
):
    spec = group(worker("a", start_timeout=2.0))
    async with acting(spec, {"a": [{"start_seconds": 99}]}, wait=False) as stage:
        reason = await stage.root.wait_ended()
        assert trio.current_time() == pytest.approx(2)
        assert "not ready within 2 s" in str(reason.error.reason)
        assert reason.error.reason.kind is ExitKind.CRASH


async def test_a_child_that_dies_while_later_ones_start_is_restarted(autojump_clock):
    spec = group(worker("a"), worker("b"))
    async with acting(spec, {"b": [{"start_seconds": 5}]}, wait=False) as stage:
        await trio.sleep(1)
        await stage.crash("a")
        assert stage.log.count("start a") == 2
        await stage.ready.wait()
        assert stage.starts() == [("local/a/0", 0), ("local/a/0", 1), ("local/b/0", 0)]


ENDS = {
    "normal": None,
    "shutdown": Stop("by itself"),
    "crash": ValueError("x"),
    "group": ExceptionGroup("g", [ValueError("x"), OSError("y")]),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("restart", RestartType)
async def test_rules_20_to_22_who_is_restarted(restart, end, autojump_clock):
    spec = group(worker("a", restart=restart), worker("b"))
    async with acting(spec) as stage:
        scripted = stage.scripted_children["a"]
        scripted.end(ENDS[end])
        await stage.settle()
        is_failure = end in ("crash", "group")
        restarted = restart is PERMANENT or (restart is TRANSIENT and is_failure)
        assert (stage.scripted_children["a"] is not scripted) is restarted
        assert ("start a" in stage.log) is restarted
        (exited,) = stage.of(ChildExited)
        assert exited.restarting is restarted
        assert not exited.asked
        assert ("release a" in stage.log) is not restarted
        kept = None if restart is TEMPORARY else SlotState.STOPPED
        assert stage.state("a") is (SlotState.RUNNING if restarted else kept)


async def test_rule_22_a_temporary_child_that_ends_while_others_start(autojump_clock):
    spec = group(worker("a", restart=TEMPORARY), worker("b"), worker("c"))
    async with acting(spec, {"b": [{"start_seconds": 5}]}, wait=False) as stage:
        await trio.sleep(1)
        await stage.crash("a")
        await stage.ready.wait()
        assert "start c" in stage.log
        assert [slot.name for slot in stage.supervisor.roster] == [
            "local/b/0",
            "local/c/0",
        ]


async def test_rule_25_siblings_keep_their_identity(autojump_clock):
    async with acting(group(worker("a"), worker("b"), worker("c"))) as stage:
        others = stage.scripted_children["a"], stage.scripted_children["c"]
        await stage.crash("b")
        assert (stage.scripted_children["a"], stage.scripted_children["c"]) == others
        assert stage.log == ["end b", "start b"]


async def test_rule_31_exactly_intensity_restarts_are_allowed(autojump_clock):
    async with acting(group(worker("a"), restarts=2)) as stage:
        await stage.crash("a")
        await stage.crash("a")
        assert stage.root.reason is None
        await stage.crash("a")
        assert isinstance(stage.root.reason.error, GaveUp)


async def test_rule_32_a_failing_restart_counts_again_and_delays_no_sibling(
    autojump_clock,
):
    bad = {"start_error": ValueError("no")}
    spec = group(worker("a"), worker("b"), restarts=100)
    async with acting(spec, {"a": [{}, bad]}) as stage:
        stage.scripted_children["a"].end(ValueError())
        passes = 0
        while stage.root.reason is None:
            passes += 1
            await trio.lowlevel.checkpoint()
        # Each try is a scheduler pass or more, in which others run.
        assert passes >= 100
        assert stage.log.count("start a") == 100
        (offence,) = stage.root.reason.error.chain
        assert offence.restarts == 101


async def test_rule_33_spaced_restarts_never_trip_the_limit(autojump_clock):
    async with acting(group(worker("a"), restarts=1, period=10.0)) as stage:
        for _ in range(20):
            await stage.crash("a")
            await trio.sleep(11)
        assert stage.root.reason is None
        assert stage.starts()[-1] == ("local/a/0", 20)


async def test_rule_33_the_count_is_per_supervisor(autojump_clock):
    async with acting(group(worker("a"), worker("b"), restarts=1)) as stage:
        await stage.crash("a")
        await stage.crash("b")
        assert stage.root.reason is not None


async def test_rule_35_giving_up_stops_all_in_reverse_and_is_a_shutdown(autojump_clock):
    spec = group(worker("a"), worker("b"), worker("c"), restarts=0)
    async with acting(spec) as stage:
        await stage.crash("b")
        assert stage.root.reason.kind is ExitKind.SHUTDOWN
        assert stage.log == [
            "end b",
            *("ask c", "end c", "release c"),
            "release b",
            *("ask a", "end a", "release a"),
            "root shutdown",
        ]
        (gave_up,) = stage.of(SupervisorGaveUp)
        assert gave_up.exceeded.child == "local/b/0"
        assert gave_up.exceeded.restarts == 1
        assert gave_up.exceeded.reason == "crash (ValueError: on purpose)"


@pytest.mark.parametrize("restart", RestartType)
async def test_rule_36_a_parent_restarts_only_a_permanent_supervisor_that_gave_up(
    restart, autojump_clock
):
    inner = group(worker("a"), worker("b"), name="inner", restarts=0, restart=restart)
    async with acting(group(inner, worker("c"))) as stage:
        first = stage.scripted_children["b"]
        await stage.crash("a")
        assert first not in stage.alive
        (exited,) = (e for e in stage.of(ChildExited) if e.child == "inner")
        assert exited.reason.kind is ExitKind.SHUTDOWN
        restarted = restart is PERMANENT
        assert exited.restarting is restarted
        assert (len(stage.alive) == 3) is restarted
        assert stage.root.reason is None


async def test_the_chain_of_exceeded_intensities_leads_from_the_first_to_the_root(
    autojump_clock,
):
    inner = group(worker("a"), name="inner", restarts=1)
    async with acting(group(inner, restarts=1)) as stage:
        for _ in range(4):
            await stage.crash("a")
        chain = stage.root.reason.error.chain
        assert [(o.supervisor, o.child) for o in chain] == [
            ("root/inner", "local/a/0"),
            ("root", "inner"),
        ]
        assert "gave up" in chain[1].reason


async def test_a_supervisor_that_cannot_start_again_makes_its_parent_give_up(
    autojump_clock,
):
    bad = {"start_error": ValueError("no")}
    inner = group(worker("a"), name="inner", restarts=0)
    async with acting(group(inner, restarts=2), {"a": [{}, bad]}) as stage:
        await stage.crash("a")
        chain = stage.root.reason.error.chain
        assert [(o.supervisor, o.restarts) for o in chain] == [("root", 3)]
        assert "did not start" in chain[0].reason


async def test_rule_39_children_stop_in_reverse_one_at_a_time(autojump_clock):
    slow = {"stop_seconds": 1}
    spec = group(worker("a"), worker("b"), worker("c"))
    async with acting(spec, {n: [slow] for n in "abc"}) as stage:
        await stage.root.stop(99)
        lines = [
            line for n in "cba" for line in (f"ask {n}", f"end {n}", f"release {n}")
        ]
        assert stage.log == [*lines, "root shutdown"]
        assert trio.current_time() == pytest.approx(3)
        assert stage.exits() == [(f"local/{n}/0", "shutdown", True) for n in "cba"]


async def test_rule_40_a_child_that_takes_too_long_is_killed(autojump_clock):
    spec = group(worker("a", shutdown=2.0))
    async with acting(spec, {"a": [{"stop_seconds": 99}]}) as stage:
        await stage.root.stop(99)
        assert trio.current_time() == pytest.approx(2)
        assert stage.exits() == [("local/a/0", "killed", True)]


async def test_rule_40_zero_asks_and_kills_at_once(autojump_clock):
    spec = group(worker("a", shutdown=0.0))
    async with acting(spec, {"a": [{"stop_seconds": 99}]}) as stage:
        await stage.root.stop(99)
        assert trio.current_time() == 0
        assert stage.scripted_children["a"].asked
        assert stage.exits() == [("local/a/0", "killed", True)]


async def test_rule_40_brutal_kill_does_not_ask(autojump_clock):
    async with acting(group(worker("a", shutdown=BRUTAL_KILL))) as stage:
        await stage.root.stop(99)
        assert not stage.scripted_children["a"].asked
        assert stage.exits() == [("local/a/0", "killed", True)]


async def test_rule_40_infinity_waits(autojump_clock):
    spec = group(worker("a", shutdown=float("inf")))
    async with acting(spec, {"a": [{"stop_seconds": 1e6}]}) as stage:
        await stage.root.stop(float("inf"))
        assert trio.current_time() == pytest.approx(1e6)
        assert stage.exits() == [("local/a/0", "shutdown", True)]


async def test_rule_40_a_child_that_will_not_end_is_reported_and_waited_for(
    autojump_clock,
):
    spec = group(worker("a"), worker("b", shutdown=2.0))
    hostile = {"stop_seconds": 99, "ignores_cancel_for": 10}
    async with acting(spec, {"b": [hostile]}) as stage:
        await stage.root.stop(99)
        assert trio.current_time() == pytest.approx(12)
        (unstopped,) = stage.of(ChildUnstopped)
        assert (unstopped.child, unstopped.waited) == ("local/b/0", pytest.approx(3))
        assert stage.log.index("end b") < stage.log.index("ask a")


@pytest.mark.parametrize("restart", RestartType)
@pytest.mark.parametrize("end", ENDS)
async def test_rule_42_an_end_during_shutdown_does_not_disturb_it(
    restart, end, autojump_clock
):
    spec = group(worker("a", restart=restart), worker("b"))
    async with acting(spec, {"b": [{"stop_seconds": 2}]}) as stage:
        stage.root.ask_to_stop()
        await trio.sleep(1)
        stage.scripted_children["a"].end(ENDS[end])
        await stage.root.wait_ended()
        assert "start a" not in stage.log
        assert stage.root.reason.kind is ExitKind.SHUTDOWN
        # Rule 43: it is reported with its own reason.
        kind = "normal" if end == "normal" else "crash" if ENDS[end] else ""
        kind = "shutdown" if end == "shutdown" else kind
        assert ("local/a/0", kind, False) in stage.exits()


async def test_rule_45_stopping_works_while_a_restart_loop_runs(autojump_clock):
    bad = {"start_error": ValueError("no")}
    spec = group(worker("a"), restarts=10**6)
    async with acting(spec, {"a": [{}, bad]}) as stage:
        stage.scripted_children["a"].end(ValueError())
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        assert stage.log.count("start a") > 5
        stage.root.ask_to_stop()
        for _ in range(20):
            await trio.lowlevel.checkpoint()
        assert stage.root.reason.kind is ExitKind.SHUTDOWN


async def test_rule_45_stopping_works_while_a_restart_hangs(autojump_clock):
    hanging = {"start_seconds": 1e9}
    spec = group(worker("a", shutdown=1.0, start_timeout=1e12))
    async with acting(spec, {"a": [{}, hanging]}) as stage:
        await stage.crash("a")
        assert stage.state("a") is SlotState.RESTARTING
        await stage.root.stop(99)
        assert trio.current_time() == pytest.approx(1)


async def test_a_supervisor_can_be_stopped_while_it_starts(autojump_clock):
    spec = group(worker("a"), worker("b", shutdown=1.0), worker("c"))
    async with acting(spec, {"b": [{"start_seconds": 9}]}, wait=False) as stage:
        await trio.sleep(0.5)
        reason = await stage.root.stop(99)
        assert reason.kind is ExitKind.SHUTDOWN
        assert "start c" not in stage.log
        assert stage.log.index("end b") < stage.log.index("ask a")


async def test_rule_46_no_grandchild_outlives_a_killed_supervisor(autojump_clock):
    inner = group(worker("a"), worker("b"), name="inner", shutdown=1.0)
    slow = {"stop_seconds": 99}
    async with acting(group(inner), {"a": [slow], "b": [slow]}) as stage:
        await stage.root.stop(99)
        assert stage.alive == []
        assert trio.current_time() == pytest.approx(1)
        kinds = {kind for _, kind, _ in stage.exits()}
        assert kinds == {"killed"}


async def test_a_killed_tree_is_cancelled_at_once_and_waited_for(autojump_clock):
    hostile = {"ignores_cancel_for": 3}
    spec = group(worker("a"), group(worker("b"), worker("c"), name="inner"))
    async with acting(spec, {n: [hostile] for n in "abc"}) as stage:
        stage.root.kill()
        reason = await stage.root.wait_ended()
        assert trio.current_time() == pytest.approx(3)
        assert reason.kind is ExitKind.KILLED
        unstopped = {event.child for event in stage.of(ChildUnstopped)}
        assert {"local/a/0", "local/b/0", "local/c/0"} <= unstopped


async def test_a_refused_restart_waits_does_not_count_and_delays_no_sibling(
    autojump_clock,
):
    full = {"start_error": CapacityReached("maps")}
    spec = group(worker("a"), worker("b"), restarts=1)
    async with acting(spec, {"a": [{}, full, full, full, {}]}) as stage:
        await stage.crash("a")
        assert stage.state("a") is SlotState.REFUSED
        await trio.sleep(3.5 * RETRY_PAUSE)
        assert stage.state("a") is SlotState.RUNNING
        assert len(stage.of(ChildStartFailed)) == 3
        refused = {e.reason.kind for e in stage.of(ChildStartFailed)}
        assert refused == {ExitKind.REFUSED}
        assert stage.scripted_children["b"] in stage.alive


async def test_a_refused_child_can_be_stopped(autojump_clock):
    full = {"start_error": CapacityReached("maps")}
    async with acting(group(worker("a")), {"a": [{}, full]}) as stage:
        await stage.crash("a")
        await stage.root.stop(99)
        assert trio.current_time() < RETRY_PAUSE


async def test_a_refused_first_start_fails_the_start_as_a_refusal(autojump_clock):
    full = {"start_error": CapacityReached("maps")}
    async with acting(group(worker("a")), {"a": [full]}, wait=False) as stage:
        reason = await stage.root.wait_ended()
        assert reason.kind is ExitKind.REFUSED


async def test_a_nested_supervisor_that_is_refused_is_tried_again_later(autojump_clock):
    full = {"start_error": CapacityReached("maps")}
    inner = group(worker("a"), name="inner", restarts=0)
    async with acting(group(inner, restarts=1), {"a": [{}, full, full, {}]}) as stage:
        await stage.crash("a")
        assert stage.state("inner") is SlotState.REFUSED
        await trio.sleep(2.5 * RETRY_PAUSE)
        assert stage.state("inner") is SlotState.RUNNING


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_rule_24_what_must_leave_the_tree_stops_it_in_order(
    kind, wrapped, autojump_clock
):
    fatal = kind()
    error = BaseExceptionGroup("g", [ValueError(), fatal]) if wrapped else fatal
    inner = group(worker("b"), worker("c"), name="inner")
    async with acting(group(worker("a"), inner, worker("d"))) as stage:
        await stage.crash("b", error)
        assert stage.root.fatal is fatal
        asked = [line for line in stage.log if line.startswith("ask")]
        assert asked == ["ask c", "ask d", "ask a"]
        assert "start b" not in stage.log


async def test_an_escape_while_stopping_still_stops_the_rest_in_order(autojump_clock):
    fatal = KeyboardInterrupt()
    spec = group(worker("a"), worker("b"), worker("c"))
    async with acting(spec, {"b": [{"stop_error": fatal}]}) as stage:
        await stage.root.stop(99)
        assert stage.root.fatal is fatal
        assert stage.log[-3:-1] == ["end a", "release a"]


async def test_an_escape_while_giving_up_takes_over(autojump_clock):
    fatal = KeyboardInterrupt()
    spec = group(worker("a"), worker("b"), restarts=0)
    async with acting(spec, {"a": [{"stop_error": fatal}]}) as stage:
        await stage.crash("b")
        assert stage.root.fatal is fatal


async def test_a_child_that_was_killed_and_yet_returned_was_not_cut_off(autojump_clock):
    spec = group(worker("a", shutdown=BRUTAL_KILL))
    async with acting(spec, {"a": [{"swallows_cancel": True}]}) as stage:
        await stage.root.stop(99)
        assert stage.exits() == [("local/a/0", "shutdown", True)]


async def test_a_child_is_protected_from_keyboard_interrupts(autojump_clock):
    async with acting(group(worker("a"))) as stage:
        assert stage.scripted_children["a"].is_protected


async def test_an_escape_from_a_killed_child_leaves_the_tree(autojump_clock):
    fatal = KeyboardInterrupt()
    inner = group(worker("a"), name="inner")
    async with acting(group(inner), {"a": [{"kill_error": fatal}]}) as stage:
        stage.root.kill()
        await stage.root.wait_ended()
        assert stage.root.fatal is fatal


async def test_a_cancellation_that_is_not_ours_is_a_crash_of_its_actor(autojump_clock):
    async with acting(group(worker("a"))) as stage:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as cancelled:
                foreign = cancelled
        await stage.crash("a", foreign)
        (exited,) = stage.of(ChildExited)
        assert exited.reason.kind is ExitKind.CRASH
        assert "cancellation" in str(exited.reason)
        assert stage.state("a") is SlotState.RUNNING


async def test_a_cancellation_from_outside_does_not_reach_a_child(autojump_clock):
    async with acting(group(worker("a"))) as stage:
        stage.nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.sleep(5)
            assert stage.scripted_children["a"] in stage.alive
