"""Specifications and the order of children after a change of them (rule 56)."""

import attrs
from hypothesis import given, strategies as st

from airssys.contracts import (
    MAX_DEPTH,
    ActorSpec,
    AutoShutdown,
    ComponentId,
    DynamicSupervisorSpec,
    Intensity,
    RestartType,
    Strategy,
    SupervisorSpec,
)
from airssys.nursery.restarts._spec_change import (
    declares,
    given_below,
    merged,
    merged_order,
    mistakes_of_change,
    says_the_same,
    with_child,
    with_inside,
)

NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@given(NAMES, NAMES)
def test_the_wanted_come_first_and_the_others_stay_behind_them(before, wanted):
    order = merged_order(iter(before), iter(wanted))
    assert order[: len(wanted)] == tuple(wanted)
    assert order[len(wanted) :] == tuple(n for n in before if n not in wanted)


def sub(name, *children, **options):
    return SupervisorSpec(name=name, children=children, **options)


OWN_ID = ComponentId("local", "a")
GIVEN = sub("top", sub("s", DynamicSupervisorSpec(name="d")))
CHANGED = sub("top", sub("s", DynamicSupervisorSpec(name="d", max_children=3)))
FLAGS = {"restart": RestartType.TRANSIENT, "shutdown": 3.0}


def test_what_is_wanted_as_it_was_given_stays_as_it_is():
    wanted = sub("top", sub("s", DynamicSupervisorSpec(name="d"), **FLAGS))
    merged_spec = merged(GIVEN, CHANGED, wanted)
    assert merged_spec == sub("top", attrs.evolve(CHANGED.children[0], **FLAGS))


def test_what_is_wanted_otherwise_is_as_wanted():
    for wanted in (
        sub("top", sub("s")),
        sub("top", sub("other", DynamicSupervisorSpec(name="d"))),
        sub("top", DynamicSupervisorSpec(name="s")),
    ):
        assert merged(GIVEN, CHANGED, wanted) == wanted
        assert merged(sub("top"), CHANGED, wanted) == wanted
        assert merged(GIVEN, sub("top"), wanted) == wanted


def test_the_inside_of_another_one_leaves_name_and_place():
    place = sub("s", **FLAGS)
    content = sub(
        "t",
        sub("below"),
        strategy=Strategy.ONE_FOR_ALL,
        intensity=Intensity(9, 9.0),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
        significant=True,
    )
    assert with_inside(place, content) == attrs.evolve(
        content, name="s", significant=False, **FLAGS
    )
    pool = DynamicSupervisorSpec(name="p", shutdown=3.0)
    other = DynamicSupervisorSpec(
        name="q", template=content, max_children=3, intensity=Intensity(9, 9.0)
    )
    assert with_inside(pool, other) == attrs.evolve(other, name="p", shutdown=3.0)
    assert with_inside(pool, content) is pool
    assert with_inside(place, other) is place


def test_a_change_is_put_only_where_that_child_stands():
    spec = sub("top", sub("s"), sub("t"))
    changed = sub("s", sub("below"))
    assert with_child(spec, sub("s"), changed) == sub("top", changed, sub("t"))
    assert with_child(spec, sub("s", **FLAGS), changed) == spec


def test_two_say_the_same_whose_inside_is_the_same():
    assert says_the_same(sub("s"), sub("s", **FLAGS))
    assert not says_the_same(sub("s"), sub("s", sub("t")))
    assert not says_the_same(sub("s"), DynamicSupervisorSpec(name="s"))


def test_what_was_given_of_a_child_is_found_by_name_and_kind():
    assert given_below(GIVEN, sub("s", **FLAGS)) is GIVEN.children[0]
    assert given_below(GIVEN, DynamicSupervisorSpec(name="s")) is None
    assert given_below(GIVEN, sub("t")) is None
    assert given_below(DynamicSupervisorSpec(name="d"), sub("t")) is None


class Unequal:
    """An object that cannot be compared."""

    def __eq__(self, other):
        raise ValueError("these cannot be compared")

    __hash__ = object.__hash__


def test_what_cannot_be_compared_is_not_the_same():
    one, other = (
        sub("s", ActorSpec(id=OWN_ID, behaviour=print, arguments=(Unequal(),)))
        for _ in range(2)
    )
    assert says_the_same(one, one)
    assert not says_the_same(one, other)
    assert with_child(sub("top", one), other, sub("s")) == sub("top", one)


def test_a_running_supervisor_is_given_one_of_its_own_kind():
    ordered, dynamic = sub("top"), DynamicSupervisorSpec(name="top")
    assert mistakes_of_change(ordered, sub("top", sub("s")), above=0) == ()
    assert mistakes_of_change(dynamic, dynamic, above=0) == ()
    for present, wanted in ((ordered, dynamic), (dynamic, ordered)):
        (mistake,) = mistakes_of_change(present, wanted, above=0)
        assert mistake.path == "$"
        assert mistake.found.startswith(f"a {type(wanted).__name__} for a running")
        assert mistake.hint.startswith(f"give a {type(present).__name__},")


def test_a_change_is_checked_where_its_supervisor_stands():
    assert mistakes_of_change(sub("top"), sub("top"), above=MAX_DEPTH - 1) == ()
    assert mistakes_of_change(sub("top"), sub("top"), above=MAX_DEPTH)
    (mistake,) = mistakes_of_change(sub("top"), sub("top", sub("")), above=0)
    assert mistake.path == "$.children[0].name"


def test_what_has_no_children_in_order_declares_none_and_takes_no_change_of_one():
    pool, one = DynamicSupervisorSpec(name="pool"), sub("s")
    assert with_child(pool, one, sub("s", sub("t"))) is pool
    assert merged(GIVEN, CHANGED, pool) is pool
    assert not declares(pool, one)
    assert declares(sub("top", one), one)
    assert declares(sub("top", sub("r"), one), one)
    assert not declares(sub("top", sub("r"), sub("s")), one)
