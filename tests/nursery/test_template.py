"""From a template and arguments to a specification: names, arguments, mistakes."""

import attrs

from airssys import (
    SupervisorSpec,
)
from airssys.contracts import (
    Mistake,
    RestartType,
    Strategy,
    find_spec_mistakes,
)
from airssys.nursery.restarts._template import made_from, remade_from, stem_of

from .test_supervisor_templates import ROOM, guest


def test_all_below_get_names_of_their_own():
    made = made_from(ROOM, 7, ("sea",))
    assert (stem_of(ROOM), made.name) == ("room-", "room-7")
    host, table, clock, waiters, bar = made.children
    assert (str(host.id), host.arguments) == ("local/host/7", ("sea",))
    assert [(str(s.id), s.arguments) for s in table.children] == [
        ("local/seat/7", ("sea",)),
        ("local/seat/7-window", ("x", "sea")),
    ]
    assert (clock, bar) == ROOM.children[2::2]
    assert str(waiters.id) == "local/waiters/of-7"
    assert waiters.member == ROOM.children[3].member
    kept = attrs.evolve(made, name="room", children=ROOM.children)
    assert kept == ROOM
    assert not find_spec_mistakes(made)


def test_arguments_that_are_not_taken_are_a_mistake():
    empty = SupervisorSpec(name="empty", children=(ROOM.children[2], ROOM.children[4]))
    assert made_from(empty, 1, ()).name == "empty-1"
    wrong = made_from(empty, 1, ("sea",))
    assert isinstance(wrong, Mistake)
    assert wrong.path == "$.arguments"
    inside = SupervisorSpec(name="outer", children=(empty, ROOM))
    assert made_from(inside, 1, ("sea",)).name == "outer-1"


def test_a_changed_template_changes_the_rules_of_one_that_is_there():
    made = made_from(ROOM, 7, ("sea",))
    changed = attrs.evolve(
        ROOM, strategy=Strategy.ONE_FOR_ALL, restart=RestartType.TRANSIENT, children=()
    )
    assert remade_from(changed, made) == attrs.evolve(
        made, strategy=Strategy.ONE_FOR_ALL, restart=RestartType.TRANSIENT
    )
    assert remade_from(changed, guest("a")) == guest("a")
    assert remade_from(guest("a"), made) == made
