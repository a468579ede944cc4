"""What the host keeps because of what guests say is bounded in bytes, and let go."""

import gc
import tracemalloc

import pytest

from airssys.wasm.fallback.values import (
    _lifting as _wit_lifting,
    _lowering as _wit_lowering,
    _strings as _wit_text,
)
from airssys.wasm.fallback.values._marshaller import Marshaller
from airssys.wasm.fallback.values._strings import TextRows, forget_rows
from airssys.wasm.lane.abi import ExportSignature, ImportSignature, flat, layout
from airssys.wasm.lane.abi._lifting import loader
from airssys.wasm.lane.abi._lowering import storer
from airssys.wasm.values._cache import MOST_KEPT
from airssys.wasm.values._types import (
    STRING,
    Number,
    Option,
    Record,
    Tuple,
    function,
    record,
)
from wasm_support import envelope, open_guests

MIB = 1 << 20
ID = record(namespace=STRING, name=STRING, instance=STRING)


@pytest.fixture
def kept_bytes():
    """How many bytes more are kept than at first."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]

    def more():
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    yield more
    tracemalloc.stop()


def lower(marshaller, value):
    frame, _ = marshaller.lower_result(value)
    marshaller.give_back(frame)


def test_long_names_are_not_kept(kept_bytes):
    marshaller = Marshaller(function(to=ID))
    lower(marshaller, ("a", "b", "c"))
    for number in range(300):
        lower(marshaller, ("a", "b", f"{number:100000}"))
    assert kept_bytes() < MIB


def test_many_names_are_not_kept(kept_bytes):
    marshaller = Marshaller(function(to=ID))
    for number in range(4_000):
        lower(marshaller, ("a", "b" * 128, f"{number:100}"))
    assert kept_bytes() < 2 * MIB


def test_the_names_that_come_again_and_again_are_kept():
    rows = TextRows(ID, "x")
    name = ("örtlich" * 18, "b" * 128, "c" * 128)
    assert rows.find(name) is rows.find(name)


def test_what_was_kept_goes_with_the_system(kept_bytes):
    marshaller = Marshaller(function(to=ID))
    for number in range(1000):
        lower(marshaller, ("a", "b", f"{number:100}"))
    assert kept_bytes() > 100_000
    marshaller._frames.clear()
    forget_rows()
    assert kept_bytes() < 100_000


async def test_a_system_that_closes_lets_names_go(monkeypatch):
    rows = TextRows(ID, "x")
    async with open_guests() as guests:
        guest = await guests.start("whoami")
        await guest.handle_message(envelope())
        rows.find(("a", "b", "c"))
        assert any(each._rows for each in _wit_text._all_rows)
    assert not any(each._rows for each in _wit_text._all_rows)


def large(number):
    """A type of 1,600 characters of names, unlike all others."""
    fields = ((f"field-{number}-{at:090}", Number.U8) for at in range(16))
    return Record(tuple(fields))


@pytest.mark.unmeasured
def test_code_for_large_types_goes_with_the_component(kept_bytes):
    for number in range(40):
        Marshaller(function(x=large(number), to=Tuple((large(number), STRING))))
    assert kept_bytes() < MIB


@pytest.mark.unmeasured
def test_code_of_the_own_lane_for_large_types_goes_with_the_component(kept_bytes):
    for number in range(40):
        signature = function(x=large(number), to=Tuple((large(number), STRING)))
        ImportSignature(signature)
        ExportSignature(signature)
    assert kept_bytes() < MIB


def test_large_types_in_large_types_take_no_longer_for_each_level():
    """Without what is kept meanwhile, each level would take four times as long."""
    wit = large(0)
    for level in range(30):
        wit = Record(((f"level-{level}-{'x' * 1000}", wit), ("beside", Number.U32)))
    assert layout(wit) == (16 + 30 * 4, 4)


@pytest.mark.parametrize("make", [layout, flat, loader, storer])
def test_what_the_own_lane_makes_for_small_types_is_made_once(make):
    wit = record(a=Number.U8, b=Option(STRING))
    assert make(wit) is make(wit)


@pytest.mark.parametrize(
    "make",
    [_wit_lowering.generate, _wit_lowering._generate_list, _wit_lifting.lift_of],
)
def test_code_for_small_types_is_made_once_and_not_for_ever(make):
    path = () if make is _wit_lifting.lift_of else ("x",)
    assert make(STRING, *path) is make(STRING, *path)
    one = make(record(a=Number.U8), *path)
    for number in range(MOST_KEPT):
        make(Record(((f"a{number}", Number.U8),)), *path)
    assert make(record(a=Number.U8), *path) is not one
