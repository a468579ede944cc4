"""The one verdict on a blueprint: every mistake, each with its place and a way out."""

import math
from functools import partial

import attrs
import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    BRUTAL_KILL,
    ActorSpec,
    Artifact,
    Blueprint,
    ComponentConfig,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    EngineSettings,
    Intensity,
    Limits,
    RestartType,
    Strategy,
    SupervisorSpec,
    check,
    child_name,
    find_mistakes,
    find_spec_mistakes,
    walk,
)
from pace import growth

CODE = Artifact.from_text("(component)")
EVERYTHING_BAD = [None, "text", b"bytes", -1, math.nan, 1.5, True, [], {}, object]


class Horror:
    """Everything that one may do to an object fails."""

    __hash__ = None

    def __repr__(self):
        raise RuntimeError("no repr")

    def __eq__(self, other):
        raise RuntimeError("no ==")

    def __bool__(self):
        raise RuntimeError("no bool")

    def __len__(self):
        raise RuntimeError("no len")

    def __iter__(self):
        raise RuntimeError("no iter")


async def handle(context, envelope):
    return None


def an_actor(name="a", **fields):
    return ActorSpec(**{"id": ComponentId("local", name), "behaviour": handle} | fields)


def a_component(name="c", **fields):
    return ComponentSpec(
        **{"id": ComponentId("local", name), "artifact": CODE} | fields
    )


def a_supervisor(*children, name="s", **fields):
    return SupervisorSpec(**{"name": name, "children": children} | fields)


def whole(*children, **fields):
    return Blueprint(root=a_supervisor(*children, name="root"), **fields)


def mistakes_at(blueprint):
    return [mistake.path for mistake in find_mistakes(blueprint)]


def with_field(make, name):
    def place(value):
        return whole(make(**{name: value}))

    return place, f"$.root.children[0].{name}"


def with_config(name):
    def place(value):
        config = attrs.evolve(ComponentConfig(), **{name: value})
        return whole(a_component(config=config))

    return place, f"$.root.children[0].config.{name}"


def with_intensity(name):
    def place(value):
        intensity = attrs.evolve(Intensity(), **{name: value})
        return whole(a_supervisor(intensity=intensity))

    return place, f"$.root.children[0].intensity.{name}"


TIMES = ["text", math.nan, -1, True, None, -math.inf]
COUNTS = ["text", -1, 1.0, True, None, math.nan]
# What no field of the kind may hold, beside what is of another type altogether.
BAD = {
    "engine": (lambda v: whole(engine=v), "$.engine", EVERYTHING_BAD),
    "root": (lambda v: Blueprint(root=v), "$.root", [*EVERYTHING_BAD, an_actor()]),
    "stop_timeout": (
        lambda v: whole(stop_timeout=v),
        "$.stop_timeout",
        [*TIMES, 0],
    ),
    "child": (whole, "$.root.children[0]", EVERYTHING_BAD),
    "supervisor.name": (
        *with_field(a_supervisor, "name"),
        ["", "a/b", "a\n", "x" * 129, 3, None, []],
    ),
    "supervisor.children": (
        lambda v: whole(SupervisorSpec(name="s", children=v)),
        "$.root.children[0].children",
        [None, 3, "abc", {}, [], {an_actor().id}, iter(())],
    ),
    "supervisor.strategy": (*with_field(a_supervisor, "strategy"), EVERYTHING_BAD),
    "supervisor.intensity": (
        *with_field(a_supervisor, "intensity"),
        [*EVERYTHING_BAD, (3, 60.0)],
    ),
    "intensity.restarts": (*with_intensity("restarts"), COUNTS),
    "intensity.period": (*with_intensity("period"), [*TIMES, 0, math.inf]),
    "actor.id": (*with_field(an_actor, "id"), [*EVERYTHING_BAD, ("local", "a", "0")]),
    "actor.behaviour": (*with_field(an_actor, "behaviour"), [None, "text", 3]),
    "actor.arguments": (
        *with_field(an_actor, "arguments"),
        [None, "text", 3, [1]],
    ),
    "component.id": (*with_field(a_component, "id"), EVERYTHING_BAD),
    "component.artifact": (*with_field(a_component, "artifact"), EVERYTHING_BAD),
    "component.artifact.source": (
        lambda v: whole(a_component(artifact=Artifact(v, "x"))),
        "$.root.children[0].artifact.source",
        [None, 3, bytearray()],
    ),
    "component.config": (*with_field(a_component, "config"), EVERYTHING_BAD),
    "config.limits": (*with_config("limits"), EVERYTHING_BAD),
    "config.data": (*with_config("data"), ["text", 3, bytearray(), []]),
    "config.env": (*with_config("env"), [None, "text", {"a": "b"}, [("a", "b")]]),
    "config.env[]": (
        lambda v: whole(a_component(config=ComponentConfig(env=(("a", "b"), v)))),
        "$.root.children[0].config.env[1]",
        [
            *(
                None,
                "ab",
                ("a",),
                ("a", 1),
                (b"a", "b"),
                ("a", "b", "c"),
                ("\ud800", "b"),
            ),
            *(
                ("", "b"),
                ("=", "b"),
                ("a=", "b"),
                ("=a", "b"),
                ("a\0", "b"),
                ("a", "\0"),
            ),
        ],
    ),
    "config.arguments": (
        *with_config("arguments"),
        [None, "a", ("a", 1), ("a", "b\0")],
    ),
    **{
        f"{make.__name__}.{name}": (*with_field(make, name), bad)
        for make in (an_actor, a_component, a_supervisor)
        for name, bad in {
            "restart": [*EVERYTHING_BAD, "permanent"],
            "shutdown": TIMES,
            "start_timeout": [*TIMES, 0],
        }.items()
    },
    **{
        f"{make.__name__}.poison": (
            *with_field(make, "poison"),
            [*EVERYTHING_BAD, "drop"],
        )
        for make in (an_actor, a_component)
    },
    "actor.hook_timeout": (*with_field(an_actor, "hook_timeout"), [*TIMES, 0]),
    "stop_budget": (
        lambda v: whole(stop_budget=v),
        "$.stop_budget",
        [v for v in [*TIMES, 0, math.inf] if v is not None],
    ),
    **{
        f"{make.__name__}.mailbox": (*with_field(make, "mailbox"), [*COUNTS, 0])
        for make in (an_actor, a_component)
    },
}
CASES = [
    pytest.param(place, path, value, id=f"{name}={value!r:.20}")
    for name, (place, path, values) in BAD.items()
    for value in values
]


@pytest.mark.parametrize(("place", "path", "value"), CASES)
def test_a_bad_value_is_one_mistake_with_its_place_and_a_hint(place, path, value):
    (mistake,) = find_mistakes(place(value))
    assert mistake.path == path
    assert mistake.hint
    assert str(mistake) == f"{mistake.found} @ {path} ({mistake.hint})"


@pytest.mark.parametrize(("place", "path"), [each[:2] for each in BAD.values()])
@pytest.mark.parametrize(
    "monster",
    [Horror(), 10**5000, -(10**5000), "x" * 10**6],
    ids=["horror", "huge", "hugely negative", "long"],
)
def test_no_value_can_make_the_check_itself_fail(place, path, monster):
    for mistake in find_mistakes(place(monster)):
        assert mistake.path.startswith(path)
        assert mistake.hint
        assert len(str(mistake)) < 400


def test_every_field_of_every_spec_is_checked():
    specs = {
        Blueprint: whole(),
        SupervisorSpec: a_supervisor(),
        ActorSpec: an_actor(),
        ComponentSpec: a_component(),
        ComponentConfig: ComponentConfig(),
        Intensity: Intensity(),
    }

    def put(kind, spec):
        if kind is Blueprint:
            return spec
        if kind is ComponentConfig:
            return whole(a_component(config=spec))
        if kind is Intensity:
            return whole(a_supervisor(intensity=spec))
        return whole(spec)

    for kind, spec in specs.items():
        for field in attrs.fields(kind):
            if not field.eq or (kind, field.name) == (ActorSpec, "behaviour"):
                continue  # no part of the definition; any callable is a behaviour
            spoiled = attrs.evolve(spec, **{field.name: Horror()})
            paths = mistakes_at(put(kind, spoiled))
            assert any(field.name in path for path in paths), (kind, field.name)


def test_a_part_of_a_tree_is_checked_in_the_same_way():
    part = a_supervisor(an_actor(mailbox=0), an_actor())
    assert [mistake.path for mistake in find_spec_mistakes(part)] == [
        "$.children[0].mailbox",
        "$.children[1].id",
    ]
    assert find_spec_mistakes(an_actor(), "$.x") == []
    for thing in [*EVERYTHING_BAD, Horror()]:
        assert [m.path for m in find_spec_mistakes(thing, "$.x")] == ["$.x"]


def test_what_is_not_a_blueprint_is_a_mistake_too():
    for thing in [*EVERYTHING_BAD, Horror(), whole().root]:
        assert mistakes_at(thing) == ["$"]


def test_all_mistakes_are_found_at_once_in_the_order_of_the_tree():
    blueprint = whole(
        an_actor("a", mailbox=0, shutdown="soon"),
        a_supervisor(
            a_component("a", artifact="a.wasm"),
            "nothing",
            name="",
            intensity=Intensity("3", "60"),
        ),
        stop_timeout=0,
    )
    with pytest.raises(DefinitionError) as caught:
        check(blueprint)
    assert [mistake.path for mistake in caught.value.mistakes] == [
        "$.stop_timeout",
        "$.root.children[0].mailbox",
        "$.root.children[0].shutdown",
        "$.root.children[1].name",
        "$.root.children[1].intensity.restarts",
        "$.root.children[1].intensity.period",
        "$.root.children[1].children[0].artifact",
        "$.root.children[1].children[0].id",
        "$.root.children[1].children[1]",
    ]
    assert str(caught.value).startswith("9 mistake(s)")


def test_a_good_blueprint_has_none():
    blueprint = whole(
        an_actor(shutdown=BRUTAL_KILL, start_timeout=math.inf),
        an_actor("class", behaviour=type("Counter", (), {}), arguments=(1,)),
        an_actor("partial", behaviour=partial(handle)),
        a_component(shutdown=0, restart=RestartType.TEMPORARY),
        a_supervisor(a_supervisor(name="s"), shutdown=math.inf),
        a_supervisor(name="t", intensity=Intensity(0, 0.5)),
        stop_timeout=math.inf,
    )
    assert find_mistakes(blueprint) == []
    check(blueprint)


def test_names_are_unique_in_the_system_and_supervisors_among_siblings():
    blueprint = whole(
        a_supervisor(an_actor("x"), name="s"),
        a_supervisor(a_component("x"), a_supervisor(name="s"), name="s"),
    )
    same_supervisor, same_actor = find_mistakes(blueprint)
    assert same_supervisor.path == "$.root.children"
    assert "2 children have the name 's'" in same_supervisor.found
    assert same_actor.path == "$.root.children[1].children[0].id"
    assert "$.root.children[0].children[0]" in same_actor.found


def test_children_in_a_list_are_checked_all_the_same():
    root = SupervisorSpec(name="root", children=[an_actor(mailbox=0)])
    assert mistakes_at(Blueprint(root=root)) == [
        "$.root.children",
        "$.root.children[0].mailbox",
    ]


# -- shapes that are not a tree


def test_a_supervisor_inside_itself_is_reported():
    inner = a_supervisor(name="inner")
    outer = a_supervisor(an_actor(), inner, inner, name="outer")
    object.__setattr__(inner, "children", (outer,))
    found = find_mistakes(whole(outer))
    assert [m.path for m in found if "inside itself" in m.found] == [
        "$.root.children[0].children[1].children[0]"
    ]
    assert all(mistake.hint for mistake in found)
    assert len(list(walk(outer))) == 5


def test_a_list_inside_itself_is_reported():
    children = []
    children.append(children)
    root = SupervisorSpec(name="root", children=children)
    assert mistakes_at(Blueprint(root=root)) == [
        "$.root.children",
        "$.root.children[0]",
    ]


def test_a_supervisor_in_two_places_is_reported_and_not_entered_again():
    spec = a_supervisor(an_actor(), name="s0")
    for depth in range(1, 60):  # 2**59 actors, if each place were entered
        spec = a_supervisor(a_supervisor(spec, name="left"), spec, name=f"s{depth}")
    found = find_mistakes(whole(spec))
    assert len(found) < 200
    assert any("also used at $.root.children[0]" in mistake.found for mistake in found)
    assert len(list(walk(spec))) < 200


@pytest.mark.parametrize("depth", [101, 20_000])
def test_a_tree_that_is_too_deep_is_reported(depth):
    spec = an_actor()
    for level in range(depth):
        spec = a_supervisor(spec, name=f"s{level}")
    (mistake,) = find_mistakes(Blueprint(root=spec))
    assert mistake.found == "there are 100 supervisors above it"
    assert mistake.path == "$.root" + ".children[0]" * 100
    assert len(list(walk(spec))) == 101


def test_a_tree_may_be_100_deep():
    spec = an_actor()
    for level in range(100):
        spec = a_supervisor(spec, name=f"s{level}")
    assert find_mistakes(Blueprint(root=spec, restart_budget=None)) == []


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    "make",
    [
        lambda n: an_actor(f"a{n}"),
        lambda n: a_supervisor(an_actor(f"a{n}"), name=f"s{n}"),
        lambda n: a_supervisor(name="same"),
    ],
)
def test_checking_children_takes_time_in_proportion(make):
    def check_of(count):
        blueprint = whole(*map(make, range(count)))
        assert len(find_mistakes(blueprint)) <= 1
        return partial(find_mistakes, blueprint)

    assert growth(check_of, 200, 2_000) < 3


# -- properties

numbers = st.integers() | st.floats()
junk = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=5), st.binary(max_size=3)
)
names = st.builds(ComponentId, st.just("local"), st.sampled_from("abcdef"))


def either(good):
    return st.one_of(good, good, good, junk)


actors = st.builds(
    ActorSpec,
    id=either(names),
    behaviour=either(st.just(handle)),
    mailbox=either(st.integers(1, 9)),
    restart=either(st.sampled_from(RestartType)),
    shutdown=either(st.floats(0, 9)),
)
components = st.builds(
    ComponentSpec,
    id=either(names),
    artifact=either(st.just(CODE)),
    config=either(st.builds(ComponentConfig, limits=either(st.just(Limits())))),
)


def supervisors(children):
    return st.builds(
        SupervisorSpec,
        name=either(st.sampled_from("stuv")),
        children=either(st.lists(children, max_size=4).map(tuple)),
        strategy=either(st.sampled_from(Strategy)),
        intensity=either(st.builds(Intensity, numbers | st.text(), numbers)),
    )


trees = st.recursive(either(actors | components), supervisors, max_leaves=12)
blueprints = st.builds(
    Blueprint,
    root=supervisors(trees),
    engine=either(st.just(EngineSettings())),
    stop_timeout=either(st.floats(1, 9)),
)


@given(blueprints)
def test_any_blueprint_gets_a_verdict_with_places_and_hints(blueprint):
    mistakes = find_mistakes(blueprint)
    for mistake in mistakes:
        assert mistake.path.startswith("$")
        assert mistake.found
        assert mistake.hint
    if mistakes:
        with pytest.raises(DefinitionError) as caught:
            check(blueprint)
        assert list(caught.value.mistakes) == mistakes
        return
    check(blueprint)
    visited = [spec for _, spec in walk(blueprint.root)]
    found = [s.id for s in visited if not isinstance(s, SupervisorSpec)]
    assert len(set(found)) == len(found)


def test_walking_visits_parents_first_and_siblings_in_order():
    tree = a_supervisor(
        an_actor("a"), a_supervisor(an_actor("b"), name="t"), a_component("c")
    )
    walked = [(path, child_name(spec)) for path, spec in walk(tree)]
    assert walked == [
        ("$.root", "s"),
        ("$.root.children[0]", "local/a/0"),
        ("$.root.children[1]", "t"),
        ("$.root.children[1].children[0]", "local/b/0"),
        ("$.root.children[2]", "local/c/0"),
    ]


def test_the_limits_of_a_component_are_those_of_its_configuration():
    limits = Limits(fuel=3)
    assert a_component(config=ComponentConfig(limits=limits)).limits is limits
