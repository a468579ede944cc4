"""Values to bytes and back; whatever comes is read as declared, or not at all."""

import dataclasses
import datetime as dt
import json
import sys
import time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import attrs
import msgpack
import pytest
from hypothesis import given, strategies as st

from airssys.contracts import JSON_TYPE, MSGPACK_TYPE, NotEncodable
from airssys.typed._wire import Unreadable, wire_of
from pace import finished

from .generated import Box, Cents, Email, Level, Metres, Modes, Rights, Tone
from .records import EVERYTHING, PLAIN, Branch, Colour, Everything, Leaf, Names, Point

pytestmark = pytest.mark.measured

WIRES = {"json": wire_of(JSON_TYPE), "msgpack": wire_of(MSGPACK_TYPE)}
ANY_WIRE = st.sampled_from(list(WIRES.values()))
each_wire = pytest.mark.parametrize("wire", WIRES.values(), ids=WIRES)


def read(wire, payload, kind):
    plain = wire.read(payload)
    if isinstance(plain, dict):
        plain.pop("_type", None)
    return wire.build(plain, kind)


@attrs.frozen
class Sprout(Leaf):
    age: int = 0


@given(wire=ANY_WIRE, value=EVERYTHING)
def test_what_was_written_is_read(wire, value):
    assert read(wire, wire.encode(value, Everything, "Everything"), Everything) == value


def attempt(act, *arguments):
    """Return the result, or what is wrong, at least one thing."""
    try:
        return act(*arguments), ()
    except Unreadable as unreadable:
        return None, unreadable.problems or pytest.fail("it does not say why")


def is_branch(value):
    return (
        type(value) is Branch
        and all(type(leaf) is Leaf and type(leaf.name) is str for leaf in value.leaves)
        and all(map(is_branch, value.below))
    )


# What a value of each field must be, however it was made.
RULES = {
    "flag": lambda v: type(v) is bool,
    "number": lambda v: type(v) is int,
    "real": lambda v: type(v) is float,
    "text": lambda v: type(v) is str,
    "data": lambda v: type(v) is bytes,
    "maybe": lambda v: v is None or type(v) is int,
    "either": lambda v: type(v) in {int, str},
    "colour": lambda v: type(v) is Colour,
    "word": lambda v: v in {"a", "b"},
    "id": lambda v: type(v) is UUID,
    "amount": lambda v: type(v) is Decimal,
    "day": lambda v: type(v) is dt.date,
    "items": lambda v: type(v) is list and all(type(i) is int for i in v),
    "pair": lambda v: type(v) is tuple and [*map(type, v)] == [int, str],
    "many": lambda v: type(v) is tuple and all(type(i) is int for i in v),
    "some": lambda v: type(v) is frozenset and all(type(i) is int for i in v),
    "table": lambda v: all(type(i) is str and type(v[i]) is float for i in v),
    "counts": lambda v: all(type(i) is int and type(v[i]) is str for i in v),
    "point": lambda v: type(v) is Point and [*map(type, v)] == [int, int],
    "names": lambda v: type(v["first"]) is str,
    "branch": is_branch,
}


def test_there_is_a_rule_for_each_field():
    assert set(RULES) == set(attrs.fields_dict(Everything))


@given(
    wire=ANY_WIRE,
    value=EVERYTHING,
    field=st.sampled_from(sorted(RULES)),
    plain=PLAIN | st.binary(max_size=5),
)
def test_what_is_read_is_of_its_type_or_reported_with_its_path(
    wire, value, field, plain
):
    whole = wire.read(wire.encode(value, Everything))
    whole[field] = plain
    found, problems = attempt(wire.build, whole, Everything)
    assert all(f"@ $.{field}" in problem for problem in problems)
    assert problems or RULES[field](getattr(found, field))


@given(wire=ANY_WIRE, plain=PLAIN)
def test_anything_at_all_is_read_or_reported(wire, plain):
    for kind in (Everything, Branch, Leaf, Point, Names, list[str], dict[str, int]):
        attempt(wire.build, plain, kind)


@given(wire=ANY_WIRE, payload=st.binary(max_size=50))
def test_any_bytes_are_read_or_reported(wire, payload):
    _, problems = attempt(wire.read, payload)
    assert all(wire.content_type in problem for problem in problems)


@each_wire
@pytest.mark.parametrize(
    ("plain", "kind"),
    [
        (5, bytes),  # as many zero bytes, by Python's own rule
        (2**40, bytes),
        ("abc", list[str]),
        ("abc", tuple[str, ...]),
        ("ab", tuple[str, str]),
        ("abc", frozenset[str]),
        ({"a": 1}, list[str]),
        ([["a", 1.0]], dict[str, float]),
        (5, str),
        ("5", int),
        (5.0, int),
        (True, int),
        (1, bool),
        (True, int | str),
        (1, bool | str),
        (b"a", int | str),
        ("1.5", float),
        (True, float),
        ("", Branch),
        ([], Leaf),
        ("xy", Point),
        (["first"], Names),
        (5, type(None)),
        ({"01": "a"}, dict[int, str]),
        ({"1.0": "a"}, dict[int, str]),
        ({"x": "a"}, dict[int, str]),
        (True, Literal[1]),
        (1, Literal[True, 0.5]),
        (1.0, Literal[1]),
        ([], Literal["a"]),
        ("mud", Tone),
        (99, Level),
        (True, Level),
        (1.0, Level),
        ("1", Level),
        (8, Rights),
        (-1, Rights),
        (-1, Modes),
        ("READ", Rights),
        (5, Email),
        ("5", Cents),
        ("P1X", dt.timedelta),
        ("P99999999999999D", dt.timedelta),
        (5, dt.timedelta),
        (0, dt.datetime),
        (0.0, dt.date),
        ("2000-13-01", dt.date),
        ("no number", Decimal),
        ("no id", UUID),
    ],
)
def test_nothing_is_converted(wire, plain, kind):
    with pytest.raises(Unreadable):
        wire.build(plain, kind)


@each_wire
def test_all_that_is_wrong_is_reported_at_once(wire):
    plain = {"leaves": [{"weight": 1}, {"name": 5}], "below": [{"leaves": 3}]}
    with pytest.raises(Unreadable) as caught:
        wire.build(plain, Branch)
    assert [p.partition(" @ ")[2] for p in caught.value.problems] == [
        "$.leaves[0].name",
        "$.leaves[1].name",
        "$.below[0].leaves",
    ]


@each_wire
def test_very_much_that_is_wrong_is_cut(wire):
    with pytest.raises(Unreadable) as caught:
        wire.build([str(n) for n in range(1000)], list[int])
    assert len(caught.value.problems) == 11
    assert caught.value.problems[-1] == "and 990 more"


def deep_json(levels):
    return b'{"leaves":[],"below":[' * levels + b"]}" * levels


@pytest.mark.parametrize("levels", [2_000, 100_000])
def test_what_is_too_deep_is_reported(levels):
    wire = WIRES["json"]
    with pytest.raises(Unreadable):
        read(wire, deep_json(levels), Branch)


@pytest.mark.parametrize("payload", [b"\x91" * 100_000, b"\xdd\xff\xff\xff\xff", b""])
def test_a_messagepack_bomb_is_reported(payload):
    with pytest.raises(Unreadable):
        WIRES["msgpack"].read(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"NaN",
        b"[Infinity]",
        b"1e999",
        b"[-1e999]",
        b"\xff",
        b"",
        b"1" * 5000,
        b'"\\ud800"',
        b'["\\uDfff"]',
        b'{"\\ud800":1.0}',
        b'"\xed\xa0\x80"',
    ],
)
def test_what_is_not_json_is_reported(payload):
    with pytest.raises(Unreadable):
        WIRES["json"].read(payload)


@each_wire
def test_what_a_format_cannot_hold_is_reported(wire):
    with pytest.raises(NotEncodable) as caught:
        wire.encode(object(), Any)
    assert caught.value.content_type == wire.content_type
    assert caught.value.kind == "object"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("msgpack", 2**70),
        ("json", float("nan")),
        ("json", [float("inf")]),
    ],
)
def test_each_format_has_limits_of_its_own(name, value):
    with pytest.raises(NotEncodable):
        WIRES[name].encode(value, Any)
    (other,) = WIRES.keys() - {name}
    assert repr(WIRES[other].read(WIRES[other].encode(value, Any))) == repr(value)


@each_wire
def test_a_validator_of_the_user_is_called(wire):
    @attrs.frozen
    class Even:
        number: int = attrs.field()

        @number.validator
        def _check(self, _, value):
            if value % 2:
                raise RuntimeError("odd")

    assert read(wire, wire.encode(Even(2), Even), Even) == Even(2)
    with pytest.raises(Unreadable, match="odd"):
        wire.build({"number": 3}, Even)


@each_wire
@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_half_a_character_is_not_written(wire, text):
    for value, kind in (text, str), ([text], list[str]), ({text: 1}, dict[str, int]):
        with pytest.raises(NotEncodable):
            wire.encode(value, kind)


@each_wire
def test_an_error_of_the_user_that_cannot_be_shown_is_reported(wire):
    class Worse(Exception):
        def __str__(self):
            raise RuntimeError

    @attrs.frozen
    class Odd:
        number: int = attrs.field()

        @number.validator
        def _check(self, _, value):
            raise Worse

    with pytest.raises(Unreadable, match="Worse"):
        wire.build([{"number": 3}], list[Odd])


def test_a_character_in_two_halves_is_read():
    assert WIRES["json"].read(b'"\\ud83d\\ude00"') == "\N{GRINNING FACE}"


@pytest.mark.parametrize("payload", [b"\xa3\xed\xa0\x80"])
def test_half_a_character_is_not_read(payload):
    with pytest.raises(Unreadable):
        WIRES["msgpack"].read(payload)


MOMENT = dt.datetime(2024, 7, 1, 12, 0, 0, 1)  # noqa: DTZ001 (that is the point)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_a_datetime_without_a_zone_keeps_none_wherever_it_is_read(zone, local_zone):
    local_zone("Pacific/Auckland")
    written = [wire.encode(MOMENT, dt.datetime) for wire in WIRES.values()]
    local_zone(zone)
    for wire, payload in zip(WIRES.values(), written, strict=True):
        assert wire.read(payload) == MOMENT.isoformat()
        assert wire.build(wire.read(payload), dt.datetime) == MOMENT


@pytest.fixture
def local_zone():
    """Change the time zone of this process: `local_zone("UTC")`."""
    with pytest.MonkeyPatch.context() as patch:

        def change(zone):
            patch.setenv("TZ", zone)
            time.tzset()

        yield change
    time.tzset()


def test_both_formats_write_the_same():
    """But for bytes, and for keys that are numbers."""
    plains = [
        wire.read(wire.encode(value, kind))
        for kind, value in SAMPLES
        for wire in WIRES.values()
    ]
    assert plains[::2] == plains[1::2]
    assert plains[::2] == [
        "2024-07-01T12:00:00.000001",
        "2024-07-01T12:00:00.000001+00:00",
        "2024-07-01",
        "12:00:00.000001",
        "P1DT2.000003S",
        "-P1DT0.000000S",
        "low",
        1,
        3,
        "a@b",
        {"value": 5},
    ]


SAMPLES = [
    (dt.datetime, MOMENT),
    (dt.datetime, MOMENT.replace(tzinfo=dt.UTC)),
    (dt.date, MOMENT.date()),
    (dt.time, MOMENT.time()),
    (dt.timedelta, dt.timedelta(1, 2, 3)),
    (dt.timedelta, dt.timedelta(-1)),
    (Tone, Tone.LOW),
    (Level, Level.ON),
    (Rights, Rights.READ | Rights.WRITE),
    (Email, Email("a@b")),
    (Box[int], Box(5)),
]


@pytest.mark.parametrize("text", ["PT90S", "PT1M30S", "P0DT0H1M30.0S", "PT90.000000S"])
def test_durations_of_others_are_read(text):
    assert WIRES["json"].build(text, dt.timedelta) == dt.timedelta(seconds=90)


@each_wire
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("low", Tone),
        (1, Level),
        ("a@b", Email),
        (Sprout("oak", age=3), Leaf),  # would arrive without its age
        ([Sprout("oak", age=3)], list[Leaf]),
        (MOMENT, dt.date),
        ((1, 2), list[int]),
        ([1, 2], tuple[int, int]),
        ((1, 2, 3), tuple[int, int]),
        ("c", Literal["a", "b"]),
        (True, Literal[1]),
        ({1: 2}, Any),
        ((1, 2), Any),
        (MOMENT, int | str),
    ],
)
def test_what_would_arrive_as_something_else_is_not_written(wire, value, kind):
    with pytest.raises(NotEncodable):
        wire.encode(value, kind)


@each_wire
def test_what_is_text_or_a_number_to_python_may_stand_for_one(wire):
    for value, kind in (Tone.LOW, str), (Level.ON, int), (Metres(0.5), float):
        assert wire.read(wire.encode(value, kind)) == value


@attrs.frozen
class Started:
    kind: Literal["started"]
    at: float = 0.0


@attrs.frozen
class Ended:
    kind: Literal["ended"]
    at: float = 0.0


@attrs.frozen
class Moved:
    to: str
    at: float = 0.0


@each_wire
def test_message_classes_in_a_union_are_distinguished(wire):
    union = Started | Ended | Moved | None
    for value in Started("started"), Ended("ended", 2.5), Moved("x"), None:
        assert wire.build(wire.read(wire.encode(value, union)), union) == value
    assert wire.build({"to": "y"}, union) == Moved("y")
    assert wire.build({"kind": "ended"}, union) == Ended("ended")
    for wrong in {}, {"at": 1.0}, {"kind": []}, {"kind": "moved"}, []:
        with pytest.raises(Unreadable):
            wire.build(wrong, union)


@each_wire
def test_where_a_field_cannot_be_written_is_reported(wire):
    with pytest.raises(NotEncodable, match=r"@ \$\.below\[1\]\.leaves\[0\]"):
        wire.encode(Branch([], [Branch([]), Branch([object()])]), Branch)


@each_wire
def test_a_class_in_a_function_may_be_of_itself_only(wire):
    @attrs.frozen
    class Chain:
        more: "Chain | None" = None

    assert wire.problems_with(Chain) == ()
    assert wire.build({"more": {"more": None}}, Chain) == Chain(Chain())


@each_wire
def test_all_wrong_fields_are_reported(wire):
    @attrs.frozen
    class Wrong:
        one: complex
        two: int
        three: list[set[range]]

    found = wire.problems_with(Wrong)
    assert [each.partition(":")[0] for each in found] == [
        f"its field Wrong.{name}" for name in ("one", "three")
    ]
    (untyped,) = wire.problems_with(attrs.make_class("Untyped", ["it"]))
    assert untyped == "its field Untyped.it: has no type; annotate it"


@each_wire
def test_a_class_that_cannot_be_made_of_its_fields_is_refused(wire):
    @dataclasses.dataclass
    class Seeded:
        number: int
        seed: dataclasses.InitVar[int]

    (problem,) = wire.problems_with(Seeded)
    assert "missing a required argument: 'seed'" in problem


@each_wire
def test_what_was_refused_is_refused_again(wire):
    """What was made of a class before a mistake was found in it is not kept."""

    @attrs.frozen
    class Loop:
        again: "list[Loop]"
        wrong: complex

    first = wire.problems_with(Loop)
    assert first
    assert wire.problems_with(Loop) == wire.problems_with(list[Loop]) == first


def test_others_can_read_it():
    leaf = Leaf("oak", 2.5)
    plain = {"_type": "Leaf", "name": "oak", "weight": 2.5}
    assert json.loads(WIRES["json"].encode(leaf, Leaf, "Leaf")) == plain
    assert msgpack.unpackb(WIRES["msgpack"].encode(leaf, Leaf, "Leaf")) == plain


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/cbor"])
def test_other_codecs_are_none_of_ours(kind):
    assert wire_of(kind) is None


def test_importing_airssys_imports_no_optional_package():
    code = "import sys, airssys, airssys.typed; print('msgpack' in sys.modules)"
    done = finished([sys.executable, "-c", code])
    assert done.stdout.strip() == "False"
