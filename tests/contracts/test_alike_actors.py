"""Actors that differ in nothing but their names are checked once, and reported each."""

from airssys.contracts import ActorSpec, ComponentId, SupervisorSpec, find_spec_mistakes
from airssys.contracts.blueprints import _blueprint


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
