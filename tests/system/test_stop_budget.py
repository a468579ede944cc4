"""The budget for stopping a whole tree: checked when declared, kept when stopped."""

import math

import attrs
import pytest
import trio
import trio.testing
from hypothesis import given, settings, strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    ActorSpec,
    Blueprint,
    ComponentId,
    DefinitionError,
    DynamicSupervisorSpec,
    RestartType,
    SupervisorSpec,
    TaskSpec,
    find_mistakes,
)
from airssys.contracts.blueprints._stop_budget import longest_stop
from airssys.system import open_system


async def stubborn(context):
    """Ignore every request, until cancelled."""
    context.started()
    await trio.sleep_forever()


async def handle(context, envelope):
    return None


def task(seconds, name="t"):
    return TaskSpec(name=name, function=stubborn, context=True, shutdown=seconds)


def group(*children, name="g", **options):
    return SupervisorSpec(name=name, children=children, **options)


def whole(*children, **options):
    return Blueprint(root=group(*children, name="root"), **options)


def mistakes(*children, budget):
    return [str(m) for m in find_mistakes(whole(*children, stop_budget=budget))]


def test_what_adds_up_to_the_budget_is_allowed():
    assert mistakes(task(5.0), group(task(2.0), task(3.0, "u")), budget=10.0) == []
    assert mistakes(task(5.0), group(task(900.0), shutdown=2.0), budget=7.0) == []
    assert mistakes(task(BRUTAL_KILL), group(task(0.0)), budget=0.001) == []


def test_one_that_takes_longest_is_named_with_its_path():
    many = group(task(1.0, "a"), task(6.0, "b"))
    assert mistakes(task(5.0), many, budget=10.0) == [
        (
            "it may take 6 of the 12 s in which the whole tree stops"
            " @ $.root.children[1].children[1].shutdown"
            " (the stop budget is 10 s: give it, or others, less time)"
        )
    ]
    bound = group(*many.children, shutdown=6.0)
    (mistake,) = mistakes(task(5.0), bound, budget=10.0)
    assert "it may take 6 of the 11 s" in mistake
    assert "@ $.root.children[1].shutdown" in mistake


def test_children_that_stop_together_count_once():
    worker = ActorSpec(id=ComponentId.parse("w"), behaviour=handle, shutdown=4.0)
    pool = DynamicSupervisorSpec(name="p", template=worker)
    assert mistakes(pool, budget=4.0) == []
    assert "it may take 4 of the 4 s" in mistakes(pool, budget=3.9)[0]
    anything = DynamicSupervisorSpec(name="p")
    (unbound,) = mistakes(task(9.0), anything, budget=99.0)
    assert unbound.startswith(
        "there is no limit on how long it may take to stop @ $.root.c"
    )
    known = DynamicSupervisorSpec(name="p", shutdown=4.0)
    assert mistakes(known, budget=4.0) == []


def test_without_a_budget_nothing_is_checked():
    assert find_mistakes(whole(task(math.inf))) == []


@pytest.mark.parametrize("budget", [0, -1, math.inf, math.nan, "5", True, []])
def test_what_is_not_a_budget_is_refused(budget):
    (mistake,) = find_mistakes(whole(task(1.0), stop_budget=budget))
    assert mistake.path == "$.stop_budget"


def test_other_mistakes_are_reported_first_and_the_sum_is_not_checked():
    (mistake,) = mistakes(task(-1.0), task(90.0, "u"), budget=1.0)
    assert "children[0].shutdown" in mistake


async def test_a_system_that_may_take_too_long_is_not_opened():
    with pytest.raises(DefinitionError, match="the stop budget is 1 s"):
        open_system(whole(task(2.0), stop_budget=1.0))


async def time_to_stop(blueprint):
    async with open_system(blueprint):
        began = trio.current_time()
    return trio.current_time() - began


TIMES = st.sampled_from([0.0, 1.0, 2.5, 4.0, BRUTAL_KILL])
TREES = st.recursive(
    st.builds(task, TIMES),
    lambda below: st.builds(
        lambda children, seconds: group(*children, shutdown=seconds),
        st.lists(below, min_size=1, max_size=3),
        st.sampled_from([math.inf, 3.0]),
    ),
    max_leaves=6,
)


def renamed(spec, name="n"):
    """Give each child a name of its own."""
    if isinstance(spec, SupervisorSpec):
        children = [renamed(c, f"{name}{i}") for i, c in enumerate(spec.children)]
        return attrs.evolve(spec, name=name, children=tuple(children))
    return attrs.evolve(spec, name=name)


@settings(max_examples=50)
@given(st.lists(TREES, min_size=1, max_size=3))
def test_no_tree_takes_longer_than_its_budget(trees):
    children = tuple(renamed(tree, f"n{i}") for i, tree in enumerate(trees))
    planned = sum(map(longest_stop, children))
    blueprint = whole(*children, stop_budget=planned or 1.0)
    clock = trio.testing.MockClock(autojump_threshold=0)
    assert trio.run(time_to_stop, blueprint, clock=clock) <= planned + 1e-6


async def test_the_budget_is_kept_also_by_what_came_later(autojump_clock):
    blueprint = whole(task(2.0), stop_budget=3.0, stop_timeout=100.0)
    async with open_system(blueprint) as system:
        late = TaskSpec(
            name="late",
            function=stubborn,
            context=True,
            shutdown=50.0,
            restart=RestartType.TEMPORARY,
        )
        await system.supervisor("root").start_child(late)
        began = trio.current_time()
    assert trio.current_time() - began == 3.0


async def test_stop_timeout_is_kept_beside_it(autojump_clock):
    assert await time_to_stop(whole(task(9.0), stop_budget=9.0, stop_timeout=1.0)) == 1
