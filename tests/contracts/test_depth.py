"""What users can nest without end is refused by a clear mistake, and never by recursion."""

import pytest

from airssys import DefinitionError, open_system, supervisor, topology
from airssys.contracts import (
    MAX_DEPTH,
    BadTopic,
    Blueprint,
    ComponentId,
    DynamicSupervisorSpec,
    RequestWouldDeadlock,
    SupervisorSpec,
    check,
    find_mistakes,
    find_spec_mistakes,
    read_pattern,
    read_topic,
    walk,
)

DEEP = 100_000
TOO_DEEP = f"there are {MAX_DEPTH} supervisors above it"


def nested(levels):
    spec = SupervisorSpec(name="s")
    for _ in range(levels):
        spec = SupervisorSpec(name="s", children=(spec,))
    return spec


def test_supervisors_are_nested_as_deep_as_they_may_be():
    check(Blueprint(root=nested(MAX_DEPTH - 1), restart_budget=None))
    (mistake,) = find_spec_mistakes(nested(MAX_DEPTH))
    assert mistake.found == TOO_DEEP


def test_supervisors_without_end_are_refused():
    deep = Blueprint(root=nested(DEEP), stop_budget=1.0)
    (mistake,) = find_mistakes(deep)
    assert mistake.found == TOO_DEEP
    assert str(MAX_DEPTH) in mistake.hint
    assert mistake.path == "$.root" + ".children[0]" * MAX_DEPTH
    assert sum(1 for _ in walk(deep.root)) == MAX_DEPTH + 1
    with pytest.raises(DefinitionError, match=TOO_DEEP):
        open_system(deep)


def test_templates_without_end_are_not_actors():
    spec = DynamicSupervisorSpec(name="d")
    for _ in range(DEEP):
        spec = DynamicSupervisorSpec(name="d", template=spec)
    found = find_spec_mistakes(spec)
    assert found[0].path == "$.template"
    assert "is neither an actor" in found[0].found
    assert len(found) < 5


@pytest.mark.slow
def test_classes_inside_each_other_without_end_are_refused():
    body = None
    for _ in range(DEEP):
        body = supervisor(type("Nested", (), {} if body is None else {"a": body}))
    with pytest.raises(DefinitionError, match="is inside 100 others"):
        open_system(topology(type("App", (), {"a": body})))


@pytest.mark.unmeasured
@pytest.mark.parametrize("length", [2, 19, 20, 21, DEEP])
def test_the_text_of_a_long_cycle_names_its_ends(length):
    path = [ComponentId.parse(f"n{number}") for number in range(length)]
    text = str(RequestWouldDeadlock(path))
    named = min(length, 20)
    assert text.count("local/n") == named
    assert f"local/n{length - 1}/0" in text
    assert ("more)" in text) is (length > 20)


@pytest.mark.parametrize("read", [read_topic, read_pattern])
@pytest.mark.parametrize("text", [".".join("a" * DEEP), "a" * DEEP, ".".join("a" * 99)])
def test_topics_without_end_are_refused(read, text):
    with pytest.raises(BadTopic) as caught:
        read(text)
    assert len(str(caught.value)) < 500
