"""Message types with a field of every kind, and strategies for their values."""

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
from hypothesis import strategies as st


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(NamedTuple):
    x: int
    y: int


class Names(TypedDict):
    first: str


@attrs.frozen
class Leaf:
    name: str
    weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class Branch:
    leaves: list[Leaf]
    below: "list[Branch]" = dataclasses.field(default_factory=list)


@attrs.frozen
class Everything:
    flag: bool
    number: int
    real: float
    text: str
    data: bytes
    maybe: int | None
    either: int | str
    colour: Colour
    word: Literal["a", "b"]
    id: UUID
    amount: Decimal
    day: dt.date
    items: list[int]
    pair: tuple[int, str]
    many: tuple[int, ...]
    some: frozenset[int]
    table: dict[str, float]
    counts: dict[int, str]
    point: Point
    names: Names
    branch: Branch


@attrs.frozen
class Empty:
    pass


WHOLE = st.integers(-(2**63), 2**64 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
REAL = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.builds(Leaf, TEXT, REAL)
BRANCHES = st.recursive(
    st.builds(Branch, st.lists(LEAVES, max_size=2)),
    lambda below: st.builds(
        Branch, st.lists(LEAVES, max_size=2), st.lists(below, max_size=2)
    ),
    max_leaves=5,
)
EVERYTHING = st.builds(
    Everything,
    flag=st.booleans(),
    number=WHOLE,
    real=REAL,
    text=TEXT,
    data=st.binary(max_size=20),
    maybe=st.none() | WHOLE,
    either=WHOLE | TEXT,
    colour=st.sampled_from(Colour),
    word=st.sampled_from(["a", "b"]),
    id=st.uuids(),
    amount=st.decimals(allow_nan=False),
    day=st.dates(dt.date(1971, 1, 1), dt.date(2100, 1, 1)),
    items=st.lists(WHOLE, max_size=5),
    pair=st.tuples(WHOLE, TEXT),
    many=st.lists(WHOLE, max_size=5).map(tuple),
    some=st.frozensets(WHOLE, max_size=5),
    table=st.dictionaries(TEXT, REAL, max_size=3),
    counts=st.dictionaries(WHOLE, TEXT, max_size=3),
    point=st.builds(Point, WHOLE, WHOLE),
    names=st.fixed_dictionaries({"first": TEXT}),
    branch=BRANCHES,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | WHOLE | REAL | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            TEXT | st.sampled_from(["x", "name", "first"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)
