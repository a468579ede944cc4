"""Declaring a topology in plain Python."""

import math
from pathlib import Path

import pytest

from airssys.contracts import (
    ActorSpec,
    Artifact,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    Intensity,
    Limits,
    LogLevel,
    RestartType,
    check,
    find_mistakes,
)
from airssys.dsl import actor, blueprint, component, supervisor


async def handle(context, envelope):
    return envelope.payload


def test_what_is_convenient_to_write_becomes_specs():
    limits = Limits(fuel=1000)
    spec = component(
        "counter", "counter.wasm", data="from 1", env={"A": "b"}, limits=limits
    )
    assert isinstance(spec, ComponentSpec)
    assert spec.id == ComponentId("local", "counter", "0")
    assert spec.artifact == Artifact.at(Path(__file__).with_name("counter.wasm"))
    assert (spec.config.data, spec.config.env) == (b"from 1", (("A", "b"),))
    assert spec.limits == limits


def test_limits_may_be_plain_values():
    spec = component("a", "a.wasm", limits={"fuel": 7, "execution_time": 2})
    assert spec.limits == Limits(fuel=7, execution_time=2)


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


def test_the_level_of_a_log_is_a_word_or_a_level():
    assert component("a", "a.wasm").log_level is LogLevel.TRACE
    assert component("a", "a.wasm", log_level="warn").log_level is LogLevel.WARN
    given = component("a", "a.wasm", log_level=LogLevel.INFO)
    assert given.log_level is LogLevel.INFO
    (mistake,) = find_mistakes(blueprint(component("a", "a.wasm", log_level="loud")))
    assert mistake.path == "$.root.children[0].log_level"


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
    assert "[root.children[0].restart]" in str(caught.value)
    assert "[root.same.start_timeout]" in str(caught.value)
