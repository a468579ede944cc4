"""Actors that differ in nothing but their names are checked once, and reported each."""

from airssys.contracts import (
    ActorSpec,
    Artifact,
    ComponentId,
    ComponentSpec,
    DynamicSupervisorSpec,
    PoolSpec,
    SupervisorSpec,
    TaskSpec,
    find_spec_mistakes,
)
from airssys.contracts.blueprints import _blueprint

ARTIFACT = Artifact.from_text("(component)", "fake")


async def handle(context, envelope): ...


def tree(*children):
    return SupervisorSpec(name="s", children=children)


def an_actor(name, **options):
    return ActorSpec(id=ComponentId.parse(name), behaviour=handle, **options)


def test_what_is_right_is_checked_once(monkeypatch):
    checked, check = [], _blueprint._mistakes_of

    def noted(spec, path):
        checked.append(path)
        return check(spec, path)

    monkeypatch.setattr(_blueprint, "_mistakes_of", noted)
    alike = [an_actor(f"a{number}") for number in range(100)]
    other = [an_actor("b", mailbox=7), an_actor("c", mailbox=7)]
    assert find_spec_mistakes(tree(*alike, *other)) == []
    assert len(checked) == 3  # the supervisor, one of each kind


def test_what_is_wrong_is_reported_each_time():
    wrong = [an_actor(f"a{number}", mailbox=-1) for number in range(3)]
    found = find_spec_mistakes(tree(an_actor("right"), *wrong))
    assert [mistake.path for mistake in found] == (
        [f"$.children[{number}].mailbox" for number in (1, 2, 3)]
    )


def test_names_are_compared_also_of_those():
    (found,) = find_spec_mistakes(tree(an_actor("a"), an_actor("b"), an_actor("a")))
    assert found.path.endswith(".id")


def test_no_hint_is_made_for_what_is_right(monkeypatch):
    def compare(*_):
        raise AssertionError("that takes half as long as all else of a check")

    monkeypatch.setattr("difflib.SequenceMatcher.ratio", compare)
    actors = an_actor("a"), ComponentSpec(id=ComponentId.parse("b"), artifact=ARTIFACT)
    group = DynamicSupervisorSpec(name="d", template=an_actor("c"))
    pool = PoolSpec(id=ComponentId.parse("p"), member=an_actor("m"))
    task = TaskSpec(name="t", function=handle)
    assert find_spec_mistakes(tree(*actors, group, pool, task)) == []
