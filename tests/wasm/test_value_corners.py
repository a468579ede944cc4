"""Corners of marshalling that no real component leads to on its own."""

from types import SimpleNamespace

import pytest
from wasmtime.component import FuncType

from airssys.wasm import _c_api as c
from airssys.wasm.artifacts._signatures import fits
from airssys.wasm.engine._handles import HostResources
from airssys.wasm.fallback._callbacks import _drop_over
from airssys.wasm.fallback._handle_table import HandleTable
from airssys.wasm.fallback._store import Store
from airssys.wasm.fallback.values._marshaller import Marshaller
from airssys.wasm.host._any_world import _Side
from airssys.wasm.values._type_reader import Unspeakable, read_function
from airssys.wasm.values._types import (
    STRING,
    Budget,
    Case,
    Err,
    Flags,
    Float,
    Function,
    List,
    Number,
    Ok,
    Option,
    Own,
    Result,
    Tuple,
    ValueUnfit,
    function,
    record,
    variant,
)
from wasm_support import same

ENOUGH = 2**40


def there_and_back(wit, value):
    marshaller = Marshaller(Function((), wit))
    _frame, address = marshaller.lower_result(value)
    return marshaller.lift_result(address, Budget(ENOUGH))


# -- values


def test_a_type_nested_deep_without_lists_comes_back():
    wit, value = Number.U8, 7
    for _ in range(12):
        wit, value = Option(Result(None, Tuple((wit,)))), Err((value,))
    assert there_and_back(wit, value) == value


def test_a_value_far_below_that_does_not_fit_is_named():
    wit, value = Number.U8, 256
    for _ in range(12):
        wit, value = Result(wit, None), Ok(value)
    with pytest.raises(ValueUnfit) as caught:
        there_and_back(wit, value)
    assert caught.value.path == "result" + ".ok" * 12


def test_a_subclass_of_float_is_a_float():
    class Celsius(float):
        pass

    assert same(there_and_back(Float.F64, Celsius(1.5)), 1.5)
    assert same(there_and_back(List(Float.F64), [Celsius(1.5)] * 9), (1.5,) * 9)


def test_lists_of_what_has_no_column_come_back():
    flags = Flags(("a", "b"))
    for wit, one in [
        (List(flags), (frozenset("a"),)),
        (List(List(flags)), ((frozenset("a"),),)),
        (flags, frozenset("ab")),
        (Option(Option(flags)), None),
        (variant(a=flags, b=None), Case("a", frozenset())),
        (Result(None, flags), Err(frozenset("b"))),
        (Result(flags, STRING), Err("x")),
        (record(a=flags), (frozenset("a"),)),
        (Option(flags), frozenset("a")),
    ]:
        assert there_and_back(List(wit), [one] * 9) == (one,) * 9


@pytest.mark.parametrize(
    ("wit", "values", "path"),
    [
        (variant(a=None, b=STRING), [Case("b", "x")] * 8 + [Case("a", 1)], "[8].a"),
        (Result(None, STRING), [Ok()] * 8 + [Ok(1)], "[8].ok"),
        (Result(None, STRING), [Ok()] * 8 + [None], "[8]"),
        (variant(a=None), [Case("a")] * 8 + [Case("c")], "[8]"),
        (List(STRING), [["x"]] * 8 + ["x"], "[8]"),
        (List(STRING), [["x"] * 9] * 8 + [["x"] * 8 + [1]], "[8][8]"),
        (List(Number.U8), [b"x"] * 8 + [[1]], "[8]"),
        (Option(STRING), ["x", None] * 8 + [1], "[16]"),
    ],
)
def test_what_a_column_refuses_is_named(wit, values, path):
    with pytest.raises(ValueUnfit) as caught:
        there_and_back(List(wit), values)
    assert caught.value.path == f"result{path}"


def test_a_case_that_carries_nothing_carries_nothing():
    with pytest.raises(ValueUnfit, match=r"1 \(int\) is not a valid None @ result\.a"):
        there_and_back(variant(a=None), Case("a", 1))


def test_lists_longer_than_a_piece_come_back():
    values = tuple(f"name {number}" for number in range(10_000))
    assert there_and_back(List(STRING), values) == values
    numbers = tuple(range(100_000))
    assert there_and_back(List(Number.U32), numbers) == numbers


def test_many_records_and_flags_come_back_while_some_are_in_use():
    """They are kept for the next value, but not all of them for ever."""
    names = tuple(f"f{n}" for n in range(11))
    row = record(a=STRING, b=STRING)
    marshaller = Marshaller(function(row=row, flags=Flags(names)))
    kept = []
    for number in range(2**11):
        flags = frozenset(n for bit, n in enumerate(names) if number >> bit & 1)
        values = [("a", f"{number}"), flags]
        kept.append((marshaller.lower_params(values), values))
    for frame, values in kept:
        assert marshaller.lift_params(frame.fixed.base, Budget(ENOUGH)) == values


def test_an_error_without_a_place_says_only_what_is_wrong():
    assert str(ValueUnfit("too odd")) == "too odd"
    assert repr(ValueUnfit("too odd", "x")) == "ValueUnfit('too odd @ x')"


# -- types


def signature(kind):
    return SimpleNamespace(params=[("it", kind)], result=None)


def test_a_type_that_is_not_offered_is_named():
    class FutureType:
        pass

    with pytest.raises(Unspeakable, match="a future, which is not supported"):
        read_function(signature(FutureType()), {})
    assert not fits(signature(FutureType()), function(it=Number.U8))


def test_a_type_that_wasmtime_py_does_not_know_is_refused():
    class Stated:
        @property
        def params(self):
            raise TypeError("unknown component value type kind")

    with pytest.raises(Unspeakable, match="does not know"):
        read_function(Stated(), {})


def test_a_type_that_cannot_be_read_but_is_not_used_does_no_harm():
    class Item:
        @property
        def ty(self):
            raise TypeError("unknown component value type kind")

    side = _Side(None)
    side.read("", {"t": Item(), "f": FuncType.__new__(FuncType)})
    assert list(side.functions) == ["f"]
    assert side.others == {}


# -- resources


async def test_a_handle_that_wasmtime_does_not_make_is_an_error(guests, monkeypatch):
    monkeypatch.setattr(c, "resource_host_to_any", lambda *_: 1)
    monkeypatch.setattr(c, "error_delete", lambda _: None)
    store = Store(guests.runtime.engine)
    handles = store.give_resources(HostResources({"thing": None}))
    marshaller = Marshaller(function(to=Own("thing")))
    with pytest.raises(
        ValueUnfit, match="is not a valid thing that can be passed on @ res"
    ):
        marshaller.lower_result("A", handles)
    assert len(handles) == 0
    store.close()


async def test_a_resource_without_a_destructor_just_goes(guests):
    store = Store(guests.runtime.engine)
    handles = store.give_resources(HostResources({"thing": None}))
    Marshaller(function(to=Own("thing"))).lower_result("A", handles)
    handles.handed_over()
    store.close()
    assert len(handles) == 0


def test_what_was_dropped_twice_is_destroyed_once():
    dropped = []
    noted = [1, 1, 2]
    handles = HandleTable(0, HostResources({"thing": dropped.append}), noted)
    handles._things[1] = ("thing", "A")
    handles.drop_noted()
    assert (dropped, noted) == (["A"], [])


def test_a_destructor_without_a_guest_does_nothing():
    inside = set()
    assert _drop_over({}, {}, inside)(None, 5, 1) == 0
    assert not inside
