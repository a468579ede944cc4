"""Any message class comes back as it was in each format, or is refused with its field."""

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from airssys import actor, blueprint, handlers, on_message
from airssys.contracts import JSON_TYPE, MSGPACK_TYPE, find_mistakes
from airssys.typed._wire import wire_of

from .generated import (
    ANYTHING,
    BAD,
    FIELDS,
    GOOD,
    Box,
    make_class,
    messages,
    same,
)

pytestmark = pytest.mark.measured

WIRES = [wire_of(JSON_TYPE), wire_of(MSGPACK_TYPE)]
searching = settings(suppress_health_check=[HealthCheck.too_slow])


def comes_back(wire, kind, value):
    return same(wire.build(wire.read(wire.encode(value, kind)), kind), value)


@searching
@given(part=messages(ANYTHING), data=st.data())
def test_a_class_comes_back_as_it_was_or_is_refused_with_its_field(part, data):
    problems = {p for wire in WIRES for p in wire.problems_with(part.kind)}
    event("refused" if problems else "sent")
    for problem in problems:
        assert "its field " in problem
        named = problem.partition("its field ")[2].partition(":")[0].rpartition(".")[2]
        assert named in {*FIELDS, "value", "boxes", "best", "other", "item", "x"}
    if not problems:
        value = data.draw(part.values)
        for wire in WIRES:
            assert comes_back(wire, part.kind, value)


@searching
@given(
    kind_and_value=st.one_of(
        st.tuples(st.just(part.kind), part.values) for part in GOOD
    )
)
def test_what_can_be_sent_is_not_refused(kind_and_value):
    kind, value = kind_and_value
    for wire in WIRES:
        assert wire.problems_with(kind) == ()
        assert comes_back(wire, kind, value)


@pytest.mark.parametrize("part", BAD, ids=lambda part: repr(part.kind))
def test_what_cannot_be_sent_is_refused_when_the_class_is_declared(part):
    order = make_class({"number": int, "wrong": part.kind}, by_attrs=True)

    class Clerk:
        @on_message
        async def take(self, context, order): ...

        take.__annotations__ |= {"order": order, "return": None}
        handle = handlers(take)

    found = find_mistakes(blueprint(actor("clerk", Clerk)))
    field = "Box.value" if part.kind is Box else f"{order.__name__}.wrong"
    assert found
    assert all(f"its field {field}: " in mistake.found for mistake in found)
