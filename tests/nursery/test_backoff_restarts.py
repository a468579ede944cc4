"""Pauses before restarts, under every strategy: who waits, and who does not."""

import random

import pytest
import trio

from airssys.contracts import (
    Backoff,
    Done,
    Growth,
    Refusal,
    RestartType,
    Started,
    Strategy,
    SupervisorGaveUp,
)

from .stage import acting, dynamic, group, worker

ONE_FOR_ONE, ONE_FOR_ALL, REST_FOR_ONE = Strategy
SECOND = Backoff(growth=Growth.CONSTANT, first=1.0)
FAILING = {"start_error": ValueError("no")}
IN_GAP = {
    ONE_FOR_ONE: ["a:running", "b:restarting", "c:running"],
    ONE_FOR_ALL: ["a:none", "b:restarting", "c:none"],
    REST_FOR_ONE: ["a:running", "b:restarting", "c:none"],
}


def abc(strategy=ONE_FOR_ONE, **options):
    children = [worker(n, backoff=SECOND, **options) for n in "abc"]
    return group(*children, strategy=strategy)


def all_running(stage):
    return all(shown.endswith(":running") for shown in stage.presences())


@pytest.mark.parametrize("strategy", Strategy)
async def test_those_that_share_a_restart_wait_for_it_stopped(strategy, autojump_clock):
    async with acting(abc(strategy)) as stage:
        await stage.crash("b")
        assert stage.presences() == IN_GAP[strategy]
        await trio.sleep(0.9)
        assert stage.presences() == IN_GAP[strategy]
        await trio.sleep(0.2)
        assert all_running(stage)
        # Names and mailboxes outlived it.
        assert not [line for line in stage.log if line.startswith("release")]


@pytest.mark.parametrize("strategy", Strategy)
async def test_a_pause_delays_neither_administration_nor_stopping(
    strategy, autojump_clock
):
    async with acting(abc(strategy)) as stage:
        await stage.crash("b")
        assert await stage.admin.start_child(worker("d")) == Started("local/d/0")
        refused = await stage.admin.delete_child("local/b/0")
        assert refused.why is Refusal.RESTARTING
        assert len(stage.admin.which_children()) == 4
        assert trio.current_time() == 0
        await stage.root.stop(99)
        assert trio.current_time() == 0


@pytest.mark.parametrize("strategy", Strategy)
async def test_terminating_the_one_that_waits_leaves_its_group_down(
    strategy, autojump_clock
):
    async with acting(abc(strategy)) as stage:
        await stage.crash("b")
        assert await stage.admin.terminate_child("local/b/0") == Done("local/b/0")
        left = [shown.replace("restarting", "none") for shown in IN_GAP[strategy]]
        assert stage.presences() == left
        await trio.sleep(10)
        assert stage.presences() == left
        for name in "abc":
            await stage.admin.restart_child(f"local/{name}/0")
        assert all_running(stage)


async def test_terminating_while_the_group_is_still_being_stopped(autojump_clock):
    slow = {"stop_seconds": 3}
    async with acting(abc(ONE_FOR_ALL), {"c": [slow]}) as stage:
        await stage.crash("b")
        await stage.admin.terminate_child("local/b/0")
        await trio.sleep(10)
        assert stage.presences() == ["a:none", "b:none", "c:none"]
        # No incarnation follows, so names and mailboxes are given up.
        released = [line for line in stage.log if line.startswith("release")]
        assert sorted(released) == ["release a", "release b", "release c"]


async def test_a_group_waits_for_the_longest_pause_in_it(autojump_clock):
    pauses = {"a": 1.0, "c": 10.0}
    children = [
        worker(n, backoff=Backoff(growth=Growth.CONSTANT, first=pauses.get(n, 0.0)))
        for n in "abcd"
    ]
    async with acting(group(*children, strategy=REST_FOR_ONE)) as stage:
        await stage.crash("c")
        await trio.sleep(2)
        await stage.crash("a")
        await trio.sleep(7.9)
        assert "c:none" in stage.presences()
        await trio.sleep(0.2)
        assert all_running(stage)


async def test_failures_in_a_row_wait_longer_until_a_time_of_health(autojump_clock):
    backoff = Backoff(first=1.0, factor=2.0, cap=3.0, reset_after=50.0)
    spec = group(worker("a", backoff=backoff), restarts=99)
    async with acting(spec, {"a": [{}, FAILING, FAILING, {}]}) as stage:
        await stage.crash("a")
        await trio.sleep(1 + 2 + 2.9)
        assert not all_running(stage)
        await trio.sleep(0.2)
        assert all_running(stage)
        await trio.sleep(10)
        await stage.crash("a")
        await trio.sleep(2.9)
        assert not all_running(stage)
        await trio.sleep(60)
        await stage.crash("a")
        await trio.sleep(1.1)
        assert all_running(stage)


async def test_the_pause_is_each_childs_own(autojump_clock):
    backoff = Backoff(first=1.0, factor=10.0, cap=100.0)
    spec = group(*(worker(n, backoff=backoff) for n in "ab"), restarts=99)
    async with acting(spec) as stage:
        for _ in range(2):
            await stage.crash("a")
            await trio.sleep(11)
        await stage.crash("b")
        await trio.sleep(1.1)
        assert all_running(stage)


async def test_a_restart_that_will_give_up_does_not_wait_first(autojump_clock):
    async with acting(group(worker("a", backoff=SECOND), restarts=1)) as stage:
        await stage.crash("a")
        await trio.sleep(1.1)
        now = trio.current_time()
        await stage.crash("a")
        assert len(stage.of(SupervisorGaveUp)) == 1
        assert trio.current_time() == now


async def test_after_a_restart_that_failed_giving_up_does_not_wait(autojump_clock):
    spec = group(worker("a", backoff=SECOND), restarts=1)
    async with acting(spec, {"a": [{}, FAILING]}) as stage:
        await stage.crash("a")
        await trio.sleep(1.001)
        assert len(stage.of(SupervisorGaveUp)) == 1


async def test_a_pause_can_carry_a_restart_out_of_the_window(autojump_clock):
    spec = group(worker("a", backoff=SECOND), restarts=1, period=1.5)
    async with acting(spec) as stage:
        for _ in range(5):
            await stage.crash("a")
            await trio.sleep(2)
        assert stage.root.reason is None


async def test_dynamic_children_wait_too(autojump_clock):
    async with acting(dynamic(worker("a", backoff=SECOND))) as stage:
        for _ in range(2):
            await stage.admin.start_from_template()
        await stage.crash("a/1")
        assert stage.presences() == ["a/1:restarting", "a/2:running"]
        await trio.sleep(1.1)
        assert all_running(stage)


async def restart_times(seed):
    """Say when a child with jitter came back, three times."""
    backoff = Backoff(growth=Growth.CONSTANT, first=10.0, jitter=True)
    spec = group(worker("a", backoff=backoff), restarts=9)
    async with acting(spec, rng=random.Random(seed)) as stage:
        times = []
        for _ in range(3):
            began = trio.current_time()
            await stage.crash("a")
            await trio.sleep(10.1)
            times.append(stage.supervisor.roster.find("local/a/0").ready_at - began)
        return times


async def test_jitter_comes_from_the_given_source(autojump_clock):
    first = await restart_times(1)
    assert first == pytest.approx(await restart_times(1))
    assert first != pytest.approx(await restart_times(2))
    assert all(0 <= seconds <= 10.1 for seconds in first)


async def test_a_permanent_child_that_ended_normally_waits_as_well(autojump_clock):
    spec = group(worker("a", backoff=SECOND, restart=RestartType.PERMANENT))
    async with acting(spec) as stage:
        await stage.finish("a")
        assert stage.presences() == ["a:restarting"]
