"""Message classes put together at random, with strategies for their values.

What is drawn is a pair: a type, and a strategy for its values. Some of the types cannot
be sent, and some are unions whose members look the same: a class with such a field is to be
refused.
"""

import collections.abc
import dataclasses
import datetime as dt
import enum
import itertools
import types
from collections.abc import Callable
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

from .records import REAL, TEXT, WHOLE

T = TypeVar("T")


class Email(str):
    __slots__ = ()


class Cents(int):
    pass


class Metres(float):
    pass


class Digest(bytes):
    pass


class Word(enum.Enum):
    YES = "yes"
    NO = "no"


class Number(enum.Enum):
    NONE = 0
    HALF = 0.5
    ONE = 1


class Tone(enum.StrEnum):
    LOW = "low"
    NOTHING = ""


class Old(str, enum.Enum):  # noqa: UP042 (as many write it)
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    OFF = 0
    ON = 1


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Modes(enum.IntFlag):
    SLOW = 1
    FAST = 4


class Open(enum.IntFlag, boundary=enum.KEEP):
    ANY = 1


class Nothing(enum.Enum):
    pass


class Tuples(enum.Enum):
    PAIR = (1, 2)


class Days(dt.date, enum.Enum):
    FIRST = 2000, 1, 1


class Wide(enum.IntEnum):
    MOST = 2**70


class Two(str):  # noqa: SLOT000 (a plain mistake)
    def __new__(cls, one, two):
        return super().__new__(cls, one + two)


class Moneyed(Decimal):
    pass


class Place(NamedTuple):
    x: int
    tone: Tone


class Names(TypedDict):
    first: Email
    level: Level


@attrs.frozen
class Box(Generic[T]):
    value: T


@attrs.frozen
class Shelf(Generic[T]):
    boxes: list[Box[T]]
    best: "T | None" = None


@attrs.frozen
class Twice(Box[int], Generic[T]):
    other: T


UserId = NewType("UserId", int)
Address = NewType("Address", Email)
FIELDS = ("alpha", "beta", "gamma", "_delta")


@attrs.frozen
class Part:
    """A type with a strategy for its values."""

    kind: Any
    values: Any
    hashes: bool = True
    is_key: bool = False


def part(kind, values, *, is_key=False):
    return Part(kind, values, is_key=is_key)


def constants(kind, *, is_key=False):
    return Part(kind, st.sampled_from(list(kind)), is_key=is_key)


ZONES = st.sampled_from(
    [
        None,
        dt.UTC,
        dt.timezone(dt.timedelta(hours=5, minutes=45)),
        ZoneInfo("UTC"),
    ]
)
GOOD = [
    part(bool, st.booleans()),
    part(int, WHOLE, is_key=True),
    part(float, REAL),
    part(str, TEXT, is_key=True),
    part(bytes, st.binary(max_size=9), is_key=True),
    part(type(None), st.none()),
    part(Email, TEXT.map(Email), is_key=True),
    part(Cents, WHOLE.map(Cents), is_key=True),
    part(Metres, REAL.map(Metres)),
    part(Digest, st.binary(max_size=9).map(Digest), is_key=True),
    part(dt.datetime, st.datetimes(timezones=ZONES), is_key=True),
    part(dt.date, st.dates(), is_key=True),
    part(
        dt.time,
        st.times(timezones=ZONES.filter(lambda z: not isinstance(z, ZoneInfo))),
        is_key=True,
    ),
    part(dt.timedelta, st.timedeltas(), is_key=True),
    part(Decimal, st.decimals(allow_nan=False), is_key=True),
    part(UUID, st.uuids(), is_key=True),
    constants(Word, is_key=True),
    constants(Number),
    constants(Tone, is_key=True),
    constants(Old, is_key=True),
    constants(Level, is_key=True),
    part(Rights, st.integers(0, 3).map(Rights), is_key=True),
    part(Modes, st.sampled_from([0, 1, 4, 5]).map(Modes), is_key=True),
    part(Open, st.integers(0, 2**40).map(Open), is_key=True),
    part(Literal[1, "one"] | None, st.sampled_from([1, "one", None])),
    part(Literal[True, 0], st.sampled_from([True, 0])),
    part(Literal[Level.ON, Tone.LOW], st.sampled_from([Level.ON, Tone.LOW])),
    part(Literal["a", "b"], st.sampled_from(["a", "b"]), is_key=True),
    part(UserId, WHOLE, is_key=True),
    part(Address, TEXT.map(Email), is_key=True),
    part(Annotated[int, "a note"], WHOLE, is_key=True),
    part(Place, st.builds(Place, WHOLE, st.sampled_from(Tone))),
    Part(
        Names,
        st.fixed_dictionaries(
            {"first": TEXT.map(Email), "level": st.sampled_from(Level)}
        ),
        hashes=False,
    ),
]
"""What can be sent."""
BAD = [
    part(complex, st.just(1j)),
    part(Nothing, st.nothing()),
    constants(Tuples),
    constants(Days),
    constants(Wide),
    part(Two, st.just(Two("a", "b"))),
    part(Moneyed, st.just(Moneyed(1))),
    part(Literal[b"a"], st.just(b"a")),
    part(Literal["low", Tone.LOW], st.just("low")),
    part(Callable[[], int], st.just(int)),
    part(T, st.just(1)),
    part(Box, st.just(Box(1))),
    part(range, st.just(range(1))),
    Part(collections.abc.Sequence[int], st.just((1,)), hashes=False),
    Part(collections.abc.Mapping[str, int], st.just({}), hashes=False),
    Part(dict[float, int], st.just({0.5: 1}), hashes=False),
    Part(dict[bool, int], st.just({True: 1}), hashes=False),
    Part(dict[int | str, int], st.just({1: 1}), hashes=False),
    Part(dict[tuple[int, int], int], st.just({(1, 1): 1}), hashes=False),
    Part(dict[Number, int], st.just({Number.ONE: 1}), hashes=False),
    Part(collections.OrderedDict[str, int], st.just({}), hashes=False),
    part(str | bytes, st.just(b"a")),
    part(str | dt.date, st.just(dt.date(2000, 1, 1))),
    part(Tone | str, st.just(Tone.LOW)),
    part(Email | str, st.just(Email("a"))),
    part(Level | int, st.just(Level.ON)),
    Part(list[int] | set[int], st.just({1}), hashes=False),
    Part(Box[int] | Box[str], st.just(Box(1))),
]
"""What cannot."""
_numbers = itertools.count()


def listed(inner):
    return Part(list[inner.kind], st.lists(inner.values, max_size=3), hashes=False)


def tupled(inner):
    values = st.lists(inner.values, max_size=3).map(tuple)
    return Part(tuple[inner.kind, ...], values, inner.hashes)


def paired(one, other):
    values = st.tuples(one.values, other.values)
    return Part(tuple[one.kind, other.kind], values, one.hashes and other.hashes)


def in_set(inner):
    return Part(set[inner.kind], st.sets(inner.values, max_size=3), hashes=False)


def in_frozenset(inner):
    return Part(frozenset[inner.kind], st.frozensets(inner.values, max_size=3))


def keyed(key, inner):
    values = st.dictionaries(key.values, inner.values, max_size=3)
    return Part(dict[key.kind, inner.kind], values, hashes=False)


def optional(inner):
    return Part(Optional[inner.kind], st.none() | inner.values, inner.hashes)  # noqa: UP045 (of any type)


def united(inners):
    kind = Union[tuple(each.kind for each in inners)]  # noqa: UP007 (of any types)
    values = st.one_of([each.values for each in inners])
    return Part(kind, values, all(each.hashes for each in inners))


def annotated(inner):
    return attrs.evolve(inner, kind=Annotated[inner.kind, "a note"])


def boxed(inner):
    return Part(Box[inner.kind], st.builds(Box, inner.values), inner.hashes)


def shelved(inner):
    boxes = st.lists(st.builds(Box, inner.values), max_size=2)
    values = st.builds(Shelf, boxes, st.none() | inner.values)
    return Part(Shelf[inner.kind], values, hashes=False)


def twice(inner):
    values = st.builds(Twice, WHOLE, inner.values)
    return Part(Twice[inner.kind], values, inner.hashes)


def make_class(fields, *, by_attrs):
    name = f"Message{next(_numbers)}"
    body = {"__annotations__": fields, "__module__": __name__}
    made = types.new_class(name, (), exec_body=lambda space: space.update(body))
    if by_attrs:
        return attrs.frozen(made)
    return dataclasses.dataclass(frozen=True)(made)


def record(parts, by_attrs):
    kind = make_class({name: p.kind for name, p in parts.items()}, by_attrs=by_attrs)
    values = st.builds(kind, *(each.values for each in parts.values()))
    return Part(kind, values, all(each.hashes for each in parts.values()))


def recursive(inner, by_attrs):
    number = next(_numbers)
    name = f"Node{number}"
    fields = {"item": inner.kind, "left": f"{name} | None", "below": f"list[{name}]"}
    body = {"__annotations__": fields, "__module__": __name__}
    made = types.new_class(name, (), exec_body=lambda space: space.update(body))
    kind = attrs.frozen(made) if by_attrs else dataclasses.dataclass(made)
    ends = st.builds(kind, inner.values, st.none(), st.just([]))
    values = st.recursive(
        ends,
        lambda deeper: st.builds(
            kind, inner.values, st.none() | deeper, st.lists(deeper, max_size=2)
        ),
        max_leaves=4,
    )
    return Part(kind, values, hashes=False)


def records(inner):
    fields = st.dictionaries(st.sampled_from(FIELDS), inner, min_size=1, max_size=3)
    return st.builds(record, fields, st.booleans())


def bigger(inner):
    keys = st.sampled_from([each for each in GOOD if each.is_key])
    return st.one_of(
        inner.map(listed),
        inner.map(tupled),
        st.builds(paired, inner, inner),
        inner.map(lambda each: in_set(each) if each.hashes else listed(each)),
        inner.map(lambda each: in_frozenset(each) if each.hashes else tupled(each)),
        st.builds(keyed, keys, inner),
        inner.map(optional),
        st.lists(inner, min_size=2, max_size=3).map(united),
        st.lists(records(inner), min_size=2, max_size=3).map(united),
        inner.map(annotated),
        inner.map(boxed),
        inner.map(shelved),
        inner.map(twice),
        records(inner),
        st.builds(recursive, inner, st.booleans()),
    )


def messages(leaves):
    return records(st.recursive(leaves, bigger, max_leaves=6))


SENDABLE = st.sampled_from(GOOD)
ANYTHING = SENDABLE | SENDABLE | SENDABLE | st.sampled_from(BAD)


def same(one, other):
    """Say whether two values are equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    match one:
        case enum.Enum():
            return one is other or one == other
        case list() | tuple():
            return len(one) == len(other) and all(map(same, one, other))
        case set() | frozenset():
            rest = list(other)
            return one == other and all(any(same(a, b) for b in rest) for a in one)
        case dict():
            return one.keys() == other.keys() and all(
                same(key, next(k for k in other if k == key)) and same(each, other[key])
                for key, each in one.items()
            )
    if attrs.has(type(one)) or dataclasses.is_dataclass(one):
        names = type(one).__annotations__
        parts = (same(getattr(one, n), getattr(other, n)) for n in names)
        return one == other and all(parts)
    return one == other
