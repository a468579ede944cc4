"""Declaring pools and topics: every form of the word, and every mistake."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    ActorSpec,
    Artifact,
    ComponentId,
    ComponentSpec,
    DefinitionError,
    Intensity,
    Lag,
    PoolSize,
    PoolSpec,
    Routing,
    as_blueprint,
    check,
    find_mistakes,
)
from airssys.dsl import actor, blueprint, component, pool, topology

CODE = Artifact.from_text("(component)")


@pool(size={"minimum": 1, "maximum": 8, "patience": 3}, routing="least-mailbox")
@actor(mailbox=7, topics=())
class Worker:
    async def handle(self, context, envelope): ...


@pool
async def single(context, envelope): ...


@actor(mailbox=3)
async def plain(context, envelope): ...


@pool(size=2, names=["north", "team/south/0"])
@component(Artifact.from_text("(component)"), mailbox=9)
class Guests:
    """Two pools of a component."""


def key(envelope):
    return envelope.payload


def children(declared):
    return {spec.id.name: spec for spec in as_blueprint(declared).root.children}


def test_every_form_makes_a_pool():
    @topology
    class App:
        worker = Worker
        one = single
        guests = Guests
        plains = pool(plain, size=4, routing=Routing.CONSISTENT_HASH, key=key)
        other = pool(
            component(CODE, log_level="info"), size=3, topics="a.#", lag="block"
        )
        built = pool("built", actor("x", plain), restarts=9, period=2, shutdown=4)
        like = pool("like", Worker, size=2)

    check(as_blueprint(App))
    found = children(App)
    assert all(isinstance(spec, PoolSpec) for spec in found.values())
    names = ["worker", "one", "north", "south", "plains", "other", "built", "like"]
    assert list(found) == names
    worker = found["worker"]
    assert worker.size == PoolSize(minimum=1, maximum=8, patience=3)
    assert worker.routing is Routing.LEAST_MAILBOX
    assert worker.member.behaviour is Worker
    assert worker.member.mailbox == 7
    assert found["one"].size == 1
    assert found["south"].id == ComponentId("team", "south")
    assert isinstance(found["south"].member, ComponentSpec)
    assert found["north"].member.mailbox == 9
    assert (found["plains"].key, found["plains"].member.mailbox) == (key, 3)
    assert (found["other"].topics, found["other"].lag) == (("a.#",), Lag.BLOCK)
    assert found["built"].intensity == Intensity(9, 2)
    assert found["built"].shutdown == 4
    assert found["like"].size == 2
    assert found["like"].routing is Routing.LEAST_MAILBOX


def test_what_is_decorated_is_returned_as_it_was():
    assert isinstance(Worker, type)
    assert callable(single)


def test_topics_are_read_the_same_way_wherever_they_stand():
    one = actor("a", plain, topics="x.*", lag="disconnect")
    many = component("b", CODE, topics=["x", "y.#"])
    assert (one.topics, one.lag) == (("x.*",), Lag.DISCONNECT)
    assert (many.topics, many.lag) == (("x", "y.#"), Lag.DROP_NEWEST)
    assert find_mistakes(blueprint(one, many)) == []


def mistakes_of(*declared):
    with pytest.raises(DefinitionError) as raised:
        check(blueprint(*declared))
    return {m.path.removeprefix("$.root.children[0]"): m for m in raised.value.mistakes}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"size": 0}, ".size"),
        ({"size": True}, ".size"),
        ({"size": 10**9}, ".size"),
        ({"size": {"maximum": 10**9}}, ".size.maximum"),
        ({"size": "many"}, ".size"),
        ({"size": {"minimum": 3}}, ".size.maximum"),
        ({"size": {"maximum": 3, "most": 2}}, ".size.most"),
        ({"size": {"minimum": 4, "maximum": 3}}, ".size.maximum"),
        ({"size": {"minimum": 0, "maximum": 3}}, ".size.minimum"),
        ({"size": {"maximum": 3, "grow_above": -1}}, ".size.grow_above"),
        ({"size": {"maximum": 3, "shrink_below": None}}, ".size.shrink_below"),
        ({"size": {"maximum": 3, "shrink_below": 6}}, ".size.shrink_below"),
        ({"size": {"maximum": 3, "patience": 0}}, ".size.patience"),
        ({"routing": "random"}, ".routing"),
        ({"key": 3, "routing": "consistent-hash"}, ".key"),
        ({"key": key}, ".key"),
        ({"topics": ["a.#.b"]}, ".topics[0]"),
        ({"topics": ["a", 3]}, ".topics[1]"),
        ({"topics": 3}, ".topics"),
        ({"lag": "drop-oldest"}, ".lag"),
        ({"lag": "wait"}, ".lag"),
        ({"restarts": -1}, ".intensity.restarts"),
        ({"restart": "often"}, ".restart"),
        ({"mailbox": 3}, ".mailbox"),
    ],
)
def test_each_mistake_has_its_path_and_a_hint(options, path):
    found = mistakes_of(pool("p", plain, **options))
    assert list(found) == [path]
    assert found[path].hint
    assert found[path].file == __file__


def test_all_mistakes_are_reported_at_once():
    wrong = pool(
        "p/p/4",
        actor("x", plain, restart="temporary", topics="a", mailbox=0),
        size=-1,
        routing="fast",
        topics=[""],
    )
    assert set(mistakes_of(wrong)) == {
        ".id",
        ".member.restart",
        ".member.topics",
        ".member.mailbox",
        ".size",
        ".routing",
        ".topics[0]",
    }


def test_a_member_is_an_actor():
    found = mistakes_of(pool("p", 3, size=2))
    assert found[".member"].hint == "write component(...) or actor(...)"


def test_a_name_is_taken_by_the_pool_and_not_by_its_member():
    two = (pool("p", plain), actor("p", plain))
    assert "$.root.children[1].id" in mistakes_of(*two)
    assert (
        find_mistakes(blueprint(pool("p", plain), pool("q", actor("p2", plain)))) == []
    )


def test_the_order_of_decorators_is_reported():
    @topology
    class App:
        @actor(mailbox=3)
        @pool(size=2)
        async def wrong(self, context, envelope): ...

        @pool
        @pool(size=2)
        async def twice(self, context, envelope): ...

    hints = [mistake.hint for mistake in find_mistakes(as_blueprint(App))]
    assert "write @pool above @actor" in hints
    assert "keep one of them" in hints


def test_names_belong_to_the_pool():
    @topology
    class App:
        @pool(size=2)
        @actor(names=["a", "b"])
        async def workers(self, envelope): ...

    (mistake,) = find_mistakes(as_blueprint(App))
    assert "names" in mistake.found


def test_more_than_a_name_and_a_member_is_not_a_pool():
    with pytest.raises(TypeError, match="write pool"):
        pool("p", plain, "argument")


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers())
)
words = st.sampled_from(
    ["size", "routing", "key", "topics", "lag", "restarts", "period"]
)


@given(anything, anything, st.dictionaries(words, anything))
def test_whatever_is_written_is_a_pool_or_a_mistake(name, member, options):
    find_mistakes(blueprint(pool(name, member, **options)))
    find_mistakes(blueprint(actor("a", plain, topics=member, lag=name)))


def test_specs_say_the_same_as_words():
    spec = PoolSpec(
        id=ComponentId.parse("p"),
        member=ActorSpec(id=ComponentId.parse("p"), behaviour=plain, mailbox=3),
        size=2,
    )
    assert pool("p", plain, size=2) == spec
