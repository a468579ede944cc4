"""What children are declared to be, through any changes and restarts, as pure values."""

import attrs
from hypothesis import given, strategies as st

from airssys.contracts import (
    DynamicSupervisorSpec,
    Intensity,
    RestartType,
    Strategy,
    SupervisorSpec,
    child_name,
)
from airssys.nursery.restarts import Declaration, Declared

from .stage import worker

NAMES = "pqr"


class Node:
    """One child and those below it, as supervisors keep them."""

    def __init__(self, declared):
        self.declared = declared
        self.restart()

    def restart(self):
        """Start it again: its children are made afresh."""
        self.declared.start()
        self.children = {
            child_name(spec): self._child(spec) for spec in children_of(self.running)
        }

    @property
    def spec(self):
        return self.declared.spec

    @property
    def running(self):
        return self.declared.running

    def change(self, wanted):
        """Do what `change_specs` does."""
        self.declared.change(wanted)
        for spec in children_of(self.running):
            if (known := self.children.get(child_name(spec))) is not None:
                known.declared.declare_again(spec)
            else:
                self.children[child_name(spec)] = self._child(spec)

    def _child(self, spec):
        return Node(Declared(spec, self.declared))

    def walk(self):
        yield self
        for child in self.children.values():
            yield from child.walk()


def children_of(spec):
    return spec.children if isinstance(spec, SupervisorSpec) else ()


PLACE = ("restart", "shutdown")
LEAVES = (
    (),
    (DynamicSupervisorSpec(name="d"), worker("a")),
    (DynamicSupervisorSpec(name="d", max_children=3, shutdown=2.0),),
)


def group_of(name, number, children):
    """One of four that differ in their inside, in their place, or in both."""
    return SupervisorSpec(
        name=name,
        children=children,
        intensity=Intensity(number % 2, 5.0),
        restart=(RestartType.PERMANENT, RestartType.TRANSIENT)[number // 2],
    )


def groups(below):
    """Return some groups for each name; each has two of what may stand below."""
    return tuple(
        group_of(name, index % 4, tuple({child_name(c): c for c in pair}.values()))
        for name in NAMES
        for index, pair in enumerate(zip(below, reversed(below), strict=True))
    )


LOW = tuple(group_of(name, n, LEAVES[n % 3]) for name in NAMES for n in range(4))
MIDDLE = groups(LOW)
TOP = st.sampled_from(groups(MIDDLE))


def pick(draw, root):
    return draw(st.sampled_from(list(root.walk())))


def change_something(draw, root):
    """Change a supervisor, often in one thing only."""
    groups = [n for n in root.walk() if isinstance(n.running, SupervisorSpec)]
    node = draw(st.sampled_from(groups))
    is_new = draw(st.booleans())
    wanted = draw(st.sampled_from((*LOW, *MIDDLE) if is_new else known(node)))
    node.change(attrs.evolve(wanted, name=node.spec.name))
    return node


def known(node):
    """What the change may be made from: what was given, what is, with other flags."""
    declaration = node.declared.declaration
    mine = [s for s in (declaration.given, node.running) if type(s) is SupervisorSpec]
    return [*mine, *(attrs.evolve(s, intensity=Intensity(8, 8.0)) for s in mine)]


def shake(draw, root):
    for is_change in draw(st.lists(st.booleans(), max_size=6)):
        if is_change:
            change_something(draw, root)
        else:
            pick(draw, root).restart()


@given(st.data(), TOP)
def test_no_restart_changes_what_is_declared(data, spec):
    root = Node(Declared(spec))
    shake(data.draw, root)
    before = root.spec
    pick(data.draw, root).restart()
    assert root.spec == before


@given(st.data(), TOP)
def test_what_the_root_declares_is_what_a_restart_makes(data, spec):
    root = Node(Declared(spec))
    shake(data.draw, root)
    root.restart()
    for node in root.walk():
        assert node.running == node.spec
        stands = [child.spec for child in node.children.values()]
        assert stands == list(children_of(node.spec))


@given(st.data(), TOP)
def test_what_a_supervisor_goes_by_is_what_its_children_are_declared_to_be(data, spec):
    root = Node(Declared(spec))
    shake(data.draw, root)
    for node in root.walk():
        for child in children_of(node.running):
            assert node.children[child_name(child)].spec == child


@given(st.data(), TOP)
def test_a_change_is_in_what_everything_above_declares(data, spec):
    root = Node(Declared(spec))
    shake(data.draw, root)
    root.restart()  # now nothing is declared that does not run
    changed = change_something(data.draw, root)
    above = root
    while above is not changed:
        assert above.spec == above.running
        (above,) = (n for n in above.children.values() if changed in n.walk())
    assert changed.spec == changed.running


@given(st.data(), st.sampled_from(LOW))
def test_a_change_of_a_group_of_no_supervisors_is_what_was_wanted(data, wanted):
    root = Node(Declared(data.draw(TOP)))
    shake(data.draw, root)
    wanted = attrs.evolve(wanted, name=root.spec.name, children=())
    root.change(wanted)
    place = {name: getattr(root.spec, name) for name in PLACE}
    assert root.spec == root.running == attrs.evolve(wanted, **place)


@given(st.data(), TOP)
def test_how_it_is_restarted_is_always_as_the_one_above_says(data, spec):
    root = Node(Declared(spec))
    shake(data.draw, root)
    for node in root.walk():
        assert child_name(node.running) == child_name(node.spec)
        if type(node.running) is type(node.spec):
            for name in PLACE:
                assert getattr(node.running, name) == getattr(node.spec, name)


@given(TOP, TOP)
def test_the_rows_of_the_table(spec, other):
    other = attrs.evolve(other, name=spec.name)
    first = Declaration.of(spec)
    assert (first.spec, first.given, first.running) == (spec, spec, spec)
    again = first.declared_again(other)
    assert again.spec is other
    if (spec.children, spec.intensity) != (other.children, other.intensity):
        assert again.given is other
    assert again.running.children == spec.children
    assert again.running.restart is other.restart
    assert again.started() == attrs.evolve(again, running=other)
    same_inside = attrs.evolve(spec, shutdown=7.0)
    assert first.declared_again(same_inside).given is spec
    changed = first.changed(other)
    assert changed.given is other
    assert changed.spec == changed.running
    assert changed.spec.shutdown == spec.shutdown
    assert first.with_child(worker("a"), worker("b")) == first


def test_what_was_changed_below_is_kept_only_if_nothing_new_is_declared():
    sub = SupervisorSpec(name="sub")
    root = Node(Declared(SupervisorSpec(name="root", children=(sub,))))
    busier = attrs.evolve(sub, intensity=Intensity(9, 9.0))
    root.children["sub"].change(busier)
    assert root.spec.children == (busier,)
    root.change(
        attrs.evolve(root.declared.declaration.given, intensity=busier.intensity)
    )
    assert root.spec.children == (busier,)
    newer = attrs.evolve(sub, strategy=Strategy.ONE_FOR_ALL)
    root.change(attrs.evolve(root.spec, children=(newer,)))
    assert root.spec.children == (newer,)
    assert root.children["sub"].running == busier  # it runs on
    root.children["sub"].restart()
    assert root.children["sub"].running == newer


def test_what_was_given_is_remembered_through_restarts_of_the_one_above():
    sub = SupervisorSpec(name="sub")
    root = Node(Declared(SupervisorSpec(name="root", children=(sub,))))
    busier = attrs.evolve(sub, intensity=Intensity(9, 9.0))
    root.children["sub"].change(busier)
    root.restart()
    assert root.children["sub"].declared.declaration.given == sub


def test_a_change_of_one_that_is_to_be_of_another_kind_holds_while_it_runs():
    sub = SupervisorSpec(name="sub")
    root = Node(Declared(SupervisorSpec(name="root", children=(sub,))))
    pool = DynamicSupervisorSpec(name="sub")
    root.change(attrs.evolve(root.spec, children=(pool,)))
    below = root.children["sub"]
    assert (below.spec, below.running) == (pool, sub)
    busier = attrs.evolve(sub, intensity=Intensity(9, 9.0))
    below.change(busier)
    assert (below.spec, below.running) == (pool, busier)
    assert root.spec.children == (pool,)
    below.restart()
    assert (below.spec, below.running) == (pool, pool)


def test_what_was_given_of_a_child_is_forgotten_of_one_added_by_its_name():
    sub = SupervisorSpec(name="sub")
    root = Node(Declared(SupervisorSpec(name="root", children=(sub,))))
    added = attrs.evolve(sub, intensity=Intensity(9, 9.0))
    assert Declared(added, root.declared).declaration == Declaration.of(added)


def test_a_start_returns_what_the_incarnation_goes_by():
    declared = Declared(SupervisorSpec(name="root"))
    assert declared.start() is declared.spec


def test_what_was_given_of_a_dynamic_supervisor_is_remembered_too():
    pool = DynamicSupervisorSpec(name="pool")
    root = Node(Declared(SupervisorSpec(name="root", children=(pool,))))
    root.children["pool"].change(attrs.evolve(pool, intensity=Intensity(9, 9.0)))
    root.restart()
    assert root.children["pool"].declared.declaration.given == pool
