"""What can be wrong with how children are restarted; all of it is found."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    ActorSpec,
    Artifact,
    Backoff,
    Blueprint,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    Directive,
    TaskSpec,
    check,
    find_mistakes,
    find_spec_mistakes,
)

from .stage import dynamic, group, worker


def nested(*restarts, period=60.0, leaf="a"):
    spec = group(
        worker(leaf), name=f"leaf-{leaf}", restarts=restarts[-1], period=period
    )
    for number, allowed in enumerate(reversed(restarts[:-1])):
        spec = group(spec, name=f"{leaf}{number}", restarts=allowed, period=5.0)
    return spec


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(1, 2000))
def test_the_budget_is_the_product_along_each_path(restarts, budget):
    plan = Blueprint(root=nested(*restarts), restart_budget=budget)
    product = 1
    for allowed in restarts:
        product *= allowed + 1
    assert bool(find_mistakes(plan)) is (product > budget)


def test_the_path_that_goes_beyond_the_budget_is_named_once():
    deep = nested(9, 9, 9, 0, period=600.0)
    root = group(deep, nested(3, 3, leaf="b"), restarts=3)
    with pytest.raises(DefinitionError) as caught:
        check(Blueprint(root=root))
    (mistake,) = caught.value.mistakes
    at = "$.root.children[0].children[0].children[0]"
    assert mistake.path == f"{at}.intensity.restarts"
    assert "children of root/a2/a1/a0 may" in mistake.found
    assert "4000 times in 60.0 s" in mistake.found
    assert find_mistakes(Blueprint(root=root, restart_budget=None)) == []
    assert find_mistakes(Blueprint(root=root, restart_budget=4000)) == []


def test_dynamic_supervisors_count_towards_the_budget():
    root = group(dynamic(worker("a"), name="d", restarts=999), restarts=1)
    (mistake,) = find_mistakes(Blueprint(root=root))
    assert "children of root/d may" in mistake.found


@pytest.mark.parametrize("budget", [0, -1, 1.5, "many", True])
def test_a_budget_is_a_count(budget):
    (mistake,) = find_mistakes(Blueprint(root=group(), restart_budget=budget))
    assert mistake.path == "$.restart_budget"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("growth", "exponential"),
        ("first", -0.1),
        ("first", "soon"),
        ("factor", 0.5),
        ("cap", float("nan")),
        ("jitter", 1),
        ("reset_after", None),
    ],
)
def test_a_wrong_backoff_is_named_by_its_field(field, value):
    spec = group(worker("a", backoff=Backoff(**{field: value})))
    (mistake,) = find_spec_mistakes(spec)
    assert mistake.path == f"$.children[0].backoff.{field}"
    (mistake,) = find_spec_mistakes(worker("a", backoff=1.0))
    assert mistake.path == "$.backoff"


RESUMING = ((ValueError, Directive.RESUME),)


def test_only_python_actors_can_resume():
    name = ComponentId("local", "a")
    assert find_spec_mistakes(worker("a", on_error=RESUMING)) == []
    artifact = Artifact.from_text("(component)")
    component = ComponentSpec(id=name, artifact=artifact, on_error=RESUMING)
    task = TaskSpec(name="t", function=print, on_error=RESUMING)
    for spec in (component, task, group(on_error=RESUMING)):
        (mistake,) = find_spec_mistakes(spec)
        assert mistake.path == "$.on_error[0]"
        assert "an actor cannot resume after ValueError" in mistake.found


@pytest.mark.parametrize(
    "on_error",
    [
        [(ValueError, Directive.STOP)],
        ((KeyboardInterrupt, Directive.STOP),),
        ((ValueError, "stop"),),
        ("stop",),
        ((ValueError, Directive.STOP, 1),),
    ],
)
def test_what_errors_ask_for_is_a_table(on_error):
    spec = ActorSpec(id=ComponentId("local", "a"), behaviour=print, on_error=on_error)
    (mistake,) = find_spec_mistakes(spec)
    assert mistake.path.startswith("$.on_error")


def test_all_mistakes_of_a_task_at_once():
    spec = TaskSpec(name="a/b", function=1, context=2, shutdown=-1)
    paths = [mistake.path for mistake in find_spec_mistakes(spec)]
    assert paths == ["$.name", "$.function", "$.context", "$.shutdown"]
    twice = group(TaskSpec(name="t", function=print), group(name="t"))
    assert "children have the name 't'" in find_spec_mistakes(twice)[0].found
