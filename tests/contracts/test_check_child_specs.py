"""Checking the specifications of children gives the verdict of starting them."""

import math

import attrs
from hypothesis import given, strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    ActorSpec,
    AutoShutdown,
    Blueprint,
    ComponentId,
    RestartType,
    SupervisorSpec,
    TaskSpec,
    check_child_specs,
    find_mistakes,
)


async def handle(context, envelope):
    return None


VALUES = {
    "restart": [*RestartType, "permanent"],
    "shutdown": [0, 5.0, math.inf, BRUTAL_KILL, -1, None],
    "significant": [True, False, 1],
    "start_timeout": [1.0, 0],
}
ODD = st.sampled_from([None, 3, "a", SupervisorSpec(name="")])


def fields():
    some = {name: st.sampled_from(values) for name, values in VALUES.items()}
    return st.fixed_dictionaries({}, optional=some)


NAMES = st.sampled_from("abc")
ACTORS = st.builds(
    lambda name, options: ActorSpec(
        id=ComponentId("local", name), behaviour=handle, **options
    ),
    NAMES,
    fields(),
)
TASKS = st.builds(
    lambda name, options: TaskSpec(name=name, function=handle, **options),
    NAMES,
    fields(),
)


@given(st.lists(ACTORS | TASKS | ODD, max_size=4), st.sampled_from(AutoShutdown))
def test_the_verdict_is_that_of_starting(specs, auto_shutdown):
    root = SupervisorSpec(
        name="root", children=tuple(specs), auto_shutdown=auto_shutdown
    )
    found = check_child_specs(specs, auto_shutdown)
    reported = [
        attrs.evolve(
            m,
            path=m.path.replace("$", "$.root", 1),
            found=m.found.replace("$.", "$.root."),
        )
        for m in found
    ]
    assert reported == find_mistakes(Blueprint(root=root, restart_budget=None))


def test_duplicates_and_significance_are_seen_at_once():
    actor = ActorSpec(id=ComponentId("local", "a"), behaviour=handle, significant=True)
    found = [m.path for m in check_child_specs([actor, actor])]
    assert found == [
        "$.children[0].significant",
        "$.children[1].significant",
        "$.children[1].id",
    ]
    fine = attrs.evolve(actor, restart=RestartType.TRANSIENT)
    assert check_child_specs([fine], AutoShutdown.ANY_SIGNIFICANT) == []
    assert check_child_specs([]) == []
