"""Declaring a topology in plain Python."""

import math
from pathlib import Path

import pytest

from airssys.contracts import (
    ActorSpec,
    Artifact,
    AutoShutdown,
    Backoff,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    Directive,
    Intensity,
    Limits,
    RestartType,
    Strategy,
    check,
)
from airssys.dsl import (
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    supervisor,
    task,
)


async def handle(context, envelope):
    return envelope.payload


def test_what_is_convenient_to_write_becomes_specs():
    limits = Limits(fuel=1000)
    spec = component(
        "counter", "counter.wasm", data="from 1", env={"A": "b"}, limits=limits
    )
    assert isinstance(spec, ComponentSpec)
    assert spec.id == ComponentId("local", "counter", "0")
    assert spec.artifact == Artifact.at(Path("counter.wasm"))
    assert (spec.config.data, spec.config.env) == (b"from 1", (("A", "b"),))
    assert spec.limits == limits


def test_an_actor_is_given_its_arguments():
    spec = actor("team/printer/1", handle, 1, 2, restart="transient")
    assert isinstance(spec, ActorSpec)
    assert (spec.id.namespace, spec.arguments) == ("team", (1, 2))
    assert spec.restart is RestartType.TRANSIENT


def test_a_blueprint_has_a_root_that_supervises_the_rest():
    below = supervisor("below", actor("b", handle), restarts=7, period=2.0)
    whole = blueprint(actor("a", handle), below, restarts=1)
    assert whole.root.name == "root"
    assert whole.root.intensity == Intensity(1)
    assert below.intensity == Intensity(7, 2.0)
    assert below.shutdown == math.inf
    check(whole)


@pytest.mark.parametrize("code", [b"\0asm", Artifact.from_text("(component)")])
def test_code_may_be_at_hand(code):
    artifact = component("a", code).artifact
    assert artifact.source in {b"\0asm", "(component)"}


def test_all_mistakes_are_reported_at_once():
    whole = blueprint(
        component("no/good", "a.wasm", restart="sometimes", mailbox=0),
        actor("", 3, shutdown=-1),
        actor("same", handle),
        actor("same", handle, start_timeout=math.nan),
        restarts=-1,
    )
    with pytest.raises(DefinitionError) as caught:
        check(whole)
    places = [mistake.path.removeprefix("$.root") for mistake in caught.value.mistakes]
    assert places == [
        ".intensity.restarts",
        ".children[0].id",
        ".children[0].mailbox",
        ".children[0].restart",
        ".children[1].id",
        ".children[1].behaviour",
        ".children[1].shutdown",
        ".children[3].start_timeout",
        ".children[3].id",
    ]
    assert "'no/good'" in str(caught.value)
    assert "$.root.children[0].restart" in str(caught.value)


def test_how_restarts_are_shared_and_what_errors_ask_for():
    slow = Backoff(first=2.0)
    main = task("main", handle, 1, restart="transient", significant=True)
    worker = actor("a", handle, backoff=slow, drain=True, on_error={OSError: "resume"})
    whole = blueprint(
        main,
        worker,
        component("c", "c.wasm", on_error={OSError: Directive.STOP}),
        strategy="rest_for_one",
        auto_shutdown="any_significant",
        restart_budget=None,
    )
    assert (main.arguments, main.significant, main.context) == ((1,), True, False)
    assert (worker.backoff, worker.drain) == (slow, True)
    assert worker.on_error == ((OSError, Directive.RESUME),)
    assert whole.root.strategy is Strategy.REST_FOR_ONE
    assert whole.root.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT
    check(whole)


def test_a_dynamic_supervisor_has_a_template():
    pool = dynamic_supervisor("pool", actor("a", handle), max_children=3, restarts=2)
    assert (pool.template.id.name, pool.max_children) == ("a", 3)
    assert pool.intensity == Intensity(2)
    check(blueprint(pool, dynamic_supervisor("any")))


def test_wrong_words_about_restarts_are_reported_at_once():
    whole = blueprint(
        supervisor("s", strategy="sometimes", auto_shutdown="perhaps"),
        actor("a", handle, on_error={OSError: "pray"}),
        actor("b", handle, on_error="pray", backoff=1.0),
        dynamic_supervisor("d", max_children=-1),
    )
    with pytest.raises(DefinitionError) as caught:
        check(whole)
    places = [mistake.path.removeprefix("$.root.") for mistake in caught.value.mistakes]
    assert places == [
        "children[0].strategy",
        "children[0].auto_shutdown",
        "children[1].on_error[0]",
        "children[2].backoff",
        "children[2].on_error",
        "children[3].max_children",
    ]
