"""A word that is almost right: the right one comes first in the hint."""

import enum

import pytest
from hypothesis import given, strategies as st

from airssys import actor, blueprint, component, pool, supervisor, topology
from airssys.contracts import (
    AutoShutdown,
    Directive,
    Growth,
    InvalidMessage,
    Lag,
    OnAbandoned,
    Overflow,
    Poison,
    Priority,
    RestartType,
    Routing,
    Strategy,
    as_blueprint,
    choices,
    find_mistakes,
    meant,
)
from airssys.contracts.values import LogLevel
from airssys.nursery.behaviours._message_arguments import as_priority


async def handle(context, envelope): ...


def of_actor(name):
    return lambda value: actor("a", handle, **{name: value})


def of_component(name):
    return lambda value: component("a", b"", **{name: value})


WORDS = {
    "restart": (RestartType, of_actor("restart")),
    "poison": (Poison, of_actor("poison")),
    "overflow": (Overflow, of_actor("overflow")),
    "overflow of a priority": (Overflow, lambda w: of_actor("overflow")({"high": w})),
    "lag": (Lag, of_actor("lag")),
    "on_error": (Directive, lambda w: of_actor("on_error")({ValueError: w})),
    "growth": (Growth, lambda w: of_actor("backoff")({"growth": w})),
    "log_level": (LogLevel, of_component("log_level")),
    "on_abandoned": (OnAbandoned, of_component("on_abandoned")),
    "routing": (Routing, lambda w: pool("a", handle, size=2, routing=w)),
    "strategy": (Strategy, lambda w: supervisor("a", strategy=w)),
    "auto_shutdown": (AutoShutdown, lambda w: supervisor("a", auto_shutdown=w)),
}


def hints(child):
    return [each.hint for each in find_mistakes(blueprint(child))]


@pytest.mark.parametrize("place", WORDS)
def test_the_nearest_word_comes_first_wherever_words_are_taken(place):
    kind, declare = WORDS[place]
    for member in kind:
        if member is Lag.DROP_OLDEST:
            continue
        almost = member.value[:-1] + "q"
        (hint,) = hints(declare(almost))
        assert hint.startswith(f"write '{member.value}'"), almost


@pytest.mark.parametrize(
    ("child", "right"),
    [
        (lambda: of_actor("mailbx")(3), "mailbox"),
        (lambda: of_actor("overflow")({"hgh": "block"}), "high"),
        (lambda: of_actor("backoff")({"facter": 2}), "factor"),
        (lambda: of_component("limits")({"memory_byts": 3}), "memory_bytes"),
        (lambda: pool("a", handle, size={"maximun": 3, "maximum": 3}), "maximum"),
    ],
)
def test_the_nearest_name_of_an_option_is_asked_for(child, right):
    assert f"did you mean {right}?" in hints(child())


def test_an_option_of_a_topology_too():
    @topology(strategi="one_for_one")
    class App:
        a = actor("a", handle)

    (mistake,) = find_mistakes(as_blueprint(App))
    assert mistake.hint == "did you mean strategy?"


def test_a_priority_too():
    with pytest.raises(
        InvalidMessage, match="'hihg' is not a valid priority"
    ) as caught:
        as_priority("hihg")
    assert "Write 'high'" in str(caught.value)


@given(st.one_of(st.text(), st.integers(), st.binary(), st.none()))
def test_any_value_can_be_wrong(found):
    for kind in (Strategy, Priority, Lag):
        words = choices(kind, found)
        assert all(repr(each.value) in words for each in kind)
    assert meant(found, ("one", "two"), "write").startswith(
        ("write one, two", "did you")
    )


def test_a_right_word_where_a_member_is_wanted_names_the_enum():
    class Kind(enum.Enum):
        A = "a"
        B = "b"

    assert choices(Kind, "b") == "write 'b' or 'a' as a Kind"
    assert choices(Kind, "c") == "write 'a' or 'b'"
