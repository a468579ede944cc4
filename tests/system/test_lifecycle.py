"""What supervisors really emit follows the table of an actor's life."""

import math

import pytest
import trio
import trio.testing
from hypothesis import given, settings, strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    CapacityReached,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    LifeState,
    LifeStep,
    RestartType,
    follow,
    step_of,
)
from tests.nursery.stage import acting, group, worker

NAMES = "abcd"
habits = st.fixed_dictionaries(
    {},
    optional={
        "start_error": st.sampled_from(
            [None, None, None, ValueError("no"), CapacityReached("full")]
        ),
        "start_seconds": st.sampled_from([0, 0, 0.5]),
        "stop_seconds": st.sampled_from([0, 3]),
        "stop_error": st.sampled_from([None, ValueError("bye")]),
        "ignores_cancel_for": st.sampled_from([0, 0, 4]),
        "swallows_cancel": st.booleans(),
    },
)
workers = st.builds(
    lambda name, restart, shutdown: worker(name, restart=restart, shutdown=shutdown),
    st.sampled_from(NAMES),
    st.sampled_from(RestartType),
    st.sampled_from([BRUTAL_KILL, 0, 1.0, math.inf]),
)
unique = {"unique_by": lambda spec: str(getattr(spec, "id", "")), "max_size": 3}
inner = st.builds(
    lambda children, restart: group(
        *children, name="inner", restarts=1, restart=restart, shutdown=2.0
    ),
    st.lists(workers.filter(lambda spec: spec.id.name in "cd"), **unique),
    st.sampled_from(RestartType),
)
steps = st.tuples(st.sampled_from(["crash", "finish", "wait"]), st.sampled_from(NAMES))


async def run_through(children, habits, script, killed):
    """Live a whole life, all errors of which are in its events; return these."""
    async with acting(group(*children), habits, wait=False) as stage:
        await trio.sleep(1)
        for act, name in script:
            scripted = stage.scripted_children.get(name)
            if act == "wait" or scripted is None:
                await trio.sleep(0.7)
                continue
            scripted.end(ValueError("on purpose") if act == "crash" else None)
            await stage.settle()
        if killed:
            stage.root.kill()
    # Not the harness's word for it: every life is over, in an order that can be.
    states = follow(stage.events).values()
    assert set(states) <= {LifeState.ABSENT, LifeState.RESTARTING}
    begun = sum(line.startswith("start ") for line in stage.log)
    ends = [e for e in stage.of((ChildExited, ChildStartFailed)) if e.actor is not None]
    assert len(ends) == begun, "each incarnation ends once"
    return stage.events


@settings(max_examples=40)
@given(
    children=st.lists(workers.filter(lambda spec: spec.id.name in "ab"), **unique),
    below=st.none() | inner,
    habits=st.dictionaries(
        st.sampled_from(NAMES), st.lists(habits, min_size=1, max_size=3)
    ),
    script=st.lists(steps, max_size=8),
    killed=st.booleans(),
)
def test_any_life_follows_the_table(children, below, habits, script, killed):
    children = [*children, below] if below is not None else children
    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(run_through, children, habits, script, killed, clock=clock)


CRASH_TWICE = [("crash", "a"), ("wait", "a"), ("crash", "a"), ("wait", "a")]
SCENES = {
    "starts and stops": ([{}], {}, {LifeStep.STARTED, LifeStep.STOPPED}),
    "crashes and is started again": (
        [{}, {}, {}],
        {"script": CRASH_TWICE},
        {LifeStep.STARTED, LifeStep.ENDED_AGAIN, LifeStep.STOPPED},
    ),
    "does not start": ([{"start_error": ValueError()}], {}, {LifeStep.START_FAILED}),
    "does not start again at first": (
        [{}, {"start_error": ValueError()}, {}],
        {"script": CRASH_TWICE[:2]},
        {
            LifeStep.STARTED,
            LifeStep.ENDED_AGAIN,
            LifeStep.START_FAILED_AGAIN,
            LifeStep.STOPPED,
        },
    ),
    "never starts again": (
        [{}, {"start_error": ValueError()}],
        {"script": CRASH_TWICE[:2]},
        {LifeStep.STARTED, LifeStep.ENDED_AGAIN, LifeStep.START_FAILED_AGAIN},
    ),
    "ends for good": (
        [{}],
        {"script": [("finish", "a")], "restart": RestartType.TEMPORARY},
        {LifeStep.STARTED, LifeStep.ENDED},
    ),
    "does not stop": (
        [{"ignores_cancel_for": 9}],
        {"shutdown": BRUTAL_KILL},
        {LifeStep.STARTED, LifeStep.UNSTOPPED, LifeStep.STOPPED},
    ),
    "is stopped while it starts": (
        [{"start_seconds": 5}],
        {"shutdown": BRUTAL_KILL},
        {LifeStep.STOPPED},
    ),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_a_scene_takes_these_steps(scene, autojump_clock):
    habits, options, wanted = SCENES[scene]
    script = options.get("script", [])
    fields = {name: value for name, value in options.items() if name != "script"}
    children = [worker("a", **fields)]
    events = await run_through(children, {"a": habits}, script, killed=False)
    steps = {step_of(event) for event in events} - {None}
    # A last try that fails may be reported with or without the promise of another.
    assert wanted <= steps <= wanted | {LifeStep.START_FAILED}
    starts = [event.restarts for event in events if isinstance(event, ChildStarted)]
    assert starts == list(range(len(starts)))
