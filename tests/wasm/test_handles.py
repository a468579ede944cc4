"""The host's resources in the hands of real guests: given, lent, taken back, dropped."""

import logging
from pathlib import Path

import pytest
import trio

from airssys.contracts import Artifact, GuestTrapped, TrapReason
from airssys.wasm import _c_api as c
from airssys.wasm.engine._handles import HostResources
from airssys.wasm.fallback._store import Store
from airssys.wasm.fallback.values._marshaller import Marshaller
from airssys.wasm.host import SameAs, interfaces_of
from airssys.wasm.loading._any_instance import load_any
from airssys.wasm.values._memory import MEMORY
from airssys.wasm.values._types import (
    STRING,
    Budget,
    Case,
    List,
    Number,
    Option,
    Own,
    TooMuch,
    Tuple,
    ValueUnfit,
    function,
    record,
    variant,
)
from wasm_support import HOST, echo_component, open_guests

WAT = Path(__file__).with_name("things.wat")
THING = "test:things/host#thing"


class Thing:
    """What a guest may hold; its number tells it from others."""

    def __init__(self, number=0):
        self.number = number


class Things:
    """The host's side of `things.wat`, and what happened there."""

    def __init__(self):
        self.events = []
        self.functions = {
            "test:things/host#make": self.make,
            "test:things/host#look": self.look,
            "test:things/host#take": lambda thing: self.note("took", thing),
        }
        dropped = {THING: lambda thing: self.note("dropped", thing)}
        self.host = interfaces_of(self.functions, dropped)
        self.made = Thing(99)

    def note(self, what, thing):
        self.events.append((what, thing.number))

    def make(self):
        return self.made

    def look(self, thing):
        self.note("saw", thing)
        return thing.number


@pytest.fixture
def things():
    return Things()


@pytest.fixture
async def holder(guests, things):
    """Makes instances of `things.wat`."""
    artifact = Artifact.at(WAT)
    component = await load_any(guests.loader, artifact, things.host)

    async def make():
        instance = await component.instantiate()
        guests.started.append(instance)
        return instance

    return make


async def test_what_is_given_is_the_guests_until_it_gives_it_back(holder, things):
    guest, thing = await holder(), Thing(5)
    await guest.call("keep", thing)
    assert await guest.call("look-at-kept") == 5
    assert len(guest.handles) == 1
    assert await guest.call("give-back") is thing
    assert len(guest.handles) == 0
    guest.close()
    assert things.events == [("saw", 5)]


async def test_what_is_lent_is_lent_for_the_call(holder, things):
    guest, thing = await holder(), Thing(6)
    for _ in range(3):
        assert await guest.call("peek", thing) == 6
        assert len(guest.handles) == 0
    guest.close()
    assert things.events == [("saw", 6)] * 3


async def test_the_same_thing_may_be_given_many_times(holder, things):
    guest, thing = await holder(), Thing(7)
    await guest.call("keep-two", thing, thing, 0)
    assert len(guest.handles) == 2
    assert await guest.call("peek", thing) == 7
    guest.close()
    assert things.events == [("saw", 7), ("dropped", 7)]


async def test_it_is_dropped_when_the_last_guest_lets_it_go(holder, things):
    one, two, thing = await holder(), await holder(), Thing(7)
    await one.call("keep", thing)
    await two.call("keep-two", thing, thing, 0)
    await one.call("let-go")
    with pytest.raises(ValueUnfit):
        await one.call("keep-two", thing, thing, 256)
    one.close()
    assert things.events == []
    two.close()
    assert things.events == [("dropped", 7)]


async def test_what_was_given_back_and_given_again_is_dropped_once(holder, things):
    guest, thing = await holder(), Thing(7)
    for _ in range(3):
        await guest.call("keep", thing)
        assert await guest.call("give-back") is thing
    await guest.call("keep", thing)
    guest.close()
    assert things.events == [("dropped", 7)]


async def test_a_host_function_makes_and_takes(holder, things):
    guest = await holder()
    await guest.call("make")
    assert len(guest.handles) == 1
    await guest.call("pass-on")
    assert len(guest.handles) == 0
    assert things.events == [("took", 99)]


async def test_the_destructor_is_called_before_the_next_host_function(holder, things):
    guest = await holder()
    await guest.call("keep", Thing(1))
    assert await guest.call("let-go-and-look", Thing(2)) == 2
    assert things.events == [("dropped", 1), ("saw", 2)]


async def test_the_destructor_is_called_after_the_call(holder, things):
    guest = await holder()
    await guest.call("keep", Thing(1))
    await guest.call("let-go")
    assert things.events == [("dropped", 1)]
    guest.close()
    assert things.events == [("dropped", 1)]


async def test_what_a_guest_still_holds_is_dropped_when_it_is_closed(holder, things):
    guest = await holder()
    await guest.call("keep", Thing(1))
    await guest.call("make")
    assert things.events == []
    guest.close()
    guest.close()
    # What was made last is dropped first: it may belong to what was made before.
    assert things.events == [("dropped", 99), ("dropped", 1)]


async def test_what_a_trapped_guest_held_is_dropped_once(holder, things):
    guest = await holder()
    await guest.call("keep", Thing(1))
    with pytest.raises(GuestTrapped):
        await guest.call("let-go-and-trap")
    guest.close()
    assert things.events == [("dropped", 1)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("hold-on", TrapReason.BAD_VALUE), ("trap-with", TrapReason.UNREACHABLE)],
)
async def test_what_was_lent_to_a_guest_that_died_is_not_dropped(
    holder, things, name, reason
):
    guest = await holder()
    with pytest.raises(GuestTrapped) as caught:
        await guest.call(name, Thing(1))
    assert caught.value.reason is reason
    guest.close()
    assert things.events == []


async def test_what_was_given_to_a_call_that_was_cancelled_is_dropped(holder, things):
    guest = await holder()
    with trio.move_on_after(0.02):
        await guest.call("spin", Thing(3))
    assert guest.spent.reason is TrapReason.CANCELLED
    assert things.events == []
    guest.close()
    assert things.events == [("dropped", 3)]


@pytest.mark.parametrize("name", ["forge", "let-go", "look-at-kept", "pass-on"])
async def test_a_guest_cannot_use_a_handle_that_it_has_not(holder, things, name):
    guest = await holder()
    with pytest.raises(GuestTrapped) as caught:
        await guest.call(name)
    assert caught.value.reason is TrapReason.BAD_VALUE, caught.value.text
    assert things.events == []


async def test_a_guest_cannot_give_back_twice(holder):
    guest = await holder()
    await guest.call("keep", Thing())
    await guest.call("give-back")
    with pytest.raises(GuestTrapped) as caught:
        await guest.call("give-back")
    assert caught.value.reason is TrapReason.BAD_VALUE


async def test_arguments_that_do_not_fit_give_nothing_away(holder, things):
    guest = await holder()
    with pytest.raises(ValueUnfit, match=r"256 \(int\) is not a valid u8 @ n"):
        await guest.call("keep-two", Thing(1), Thing(2), 256)
    with pytest.raises(ValueUnfit, match=f"None .* is not a valid {THING} @ it"):
        await guest.call("keep", None)
    assert len(guest.handles) == 0
    assert await guest.call("peek", Thing(3)) == 3
    guest.close()
    assert things.events == [("saw", 3)]


async def test_an_answer_that_does_not_fit_gives_nothing_away(holder, things):
    guest = await holder()
    things.made = None
    with pytest.raises(GuestTrapped, match="is not a valid test:things") as caught:
        await guest.call("make")
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert len(guest.handles) == 0


# -- destructors that fail


@pytest.fixture
async def fragile(guests):
    """A guest whose things cannot be destroyed."""

    def destroy(thing):
        raise OSError(f"thing {thing.number} is stuck")

    things = Things()
    host = interfaces_of(things.functions, {THING: destroy})
    artifact = Artifact.at(WAT)
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate()
    guests.started.append(instance)
    await instance.call("keep", Thing(1))
    return instance


@pytest.mark.parametrize(("name", "more"), [("let-go", ()), ("let-go-and-look", (1,))])
async def test_a_destructor_that_fails_is_an_error_of_the_host(fragile, name, more):
    with pytest.raises(GuestTrapped, match="thing 1 is stuck") as caught:
        await fragile.call(name, *(Thing(number) for number in more))
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert fragile.spent is caught.value


async def test_a_destructor_that_would_wait_is_an_error_of_the_host(guests, things):
    async def destroy(thing):
        things.note("never", thing)

    host = interfaces_of(things.functions, {THING: destroy})
    component = await load_any(guests.loader, Artifact.at(WAT), host)
    guest = await component.instantiate()
    guests.started.append(guest)
    await guest.call("keep", Thing(1))
    with pytest.raises(GuestTrapped, match="a destructor cannot wait") as caught:
        await guest.call("let-go")
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert things.events == []


async def test_a_destructor_that_fails_at_the_end_is_logged(fragile, caplog):
    caplog.set_level(logging.WARNING, "airssys")
    fragile.close()
    assert f"the destructor of a {THING} failed" in caplog.text
    assert "thing 1 is stuck" in caplog.text


# -- inside other values


NESTED = [
    (List(Own(f"{HOST}#thing")), [Thing() for _ in range(50)]),
    (Tuple((STRING, Option(Own(f"{HOST}#thing")))), ("x", Thing())),
    (Option(Own(f"{HOST}#thing")), None),
    (
        List(variant(a=record(it=Own(f"{HOST}#thing")), b=Number.U8)),
        [Case("a", (Thing(),)), Case("b", 1)] * 4,
    ),
]


@pytest.mark.parametrize("number", range(len(NESTED)))
async def test_resources_inside_of_other_values_come_back(guests, number):
    wit, value = NESTED[number]
    host = interfaces_of({f"{HOST}#echo-0": lambda it: it}, {f"{HOST}#thing": None})
    artifact = Artifact.from_text(echo_component(wit))
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate()
    guests.started.append(instance)
    found = await instance.call("run-0", value)
    assert found == (tuple(value) if isinstance(value, list) else value)
    assert len(instance.handles) == 0


async def test_a_failing_value_takes_back_what_it_has_given(guests):
    wit = List(Tuple((Own(f"{HOST}#thing"), Number.U8)))
    dropped = []
    host = interfaces_of(
        {f"{HOST}#echo-0": lambda it: it}, {f"{HOST}#thing": dropped.append}
    )
    artifact = Artifact.from_text(echo_component(wit))
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate()
    guests.started.append(instance)
    with pytest.raises(ValueUnfit) as caught:
        await instance.call("run-0", [(Thing(), 1), (Thing(), -1)])
    assert caught.value.path == "x[1].1"
    assert len(instance.handles) == 0
    instance.close()
    assert dropped == []


async def test_two_kinds_of_resources_are_distinguished(guests):
    wat = """(component
      (import "a" (type $a (sub resource))) (import "b" (type $b (sub resource)))
      (import "again" (type $again (eq $a)))
      (import "is-a" (func $is-a (param "it" (borrow $again)) (result bool)))
      (core func $is (canon lower (func $is-a)))
      (core func $drop (canon resource.drop $a))
      (core func $drop-b (canon resource.drop $b))
      (core module $m
        (import "h" "is" (func $is (param i32) (result i32)))
        (import "h" "drop" (func $drop (param i32)))
        (import "h" "drop-b" (func $drop-b (param i32)))
        (func (export "f") (param i32 i32) (result i32)
          (call $is (local.get 0)) (call $drop (local.get 0))
          (call $drop-b (local.get 1)))
        (func (export "g") (param i32) (result i32) (call $is (local.get 0))))
      (core instance $i (instantiate $m (with "h" (instance
        (export "is" (func $is)) (export "drop" (func $drop))
        (export "drop-b" (func $drop-b))))))
      (func (export "f") (param "a" (own $a)) (param "b" (own $b)) (result bool)
        (canon lift (core func $i "f")))
      (func (export "g") (param "b" (own $b)) (result bool)
        (canon lift (core func $i "g"))))"""
    events = []
    host = interfaces_of(
        {"is-a": lambda it: it == "A"},
        {
            "a": lambda it: events.append(("a", it)),
            "b": events.append,
            "again": SameAs("a"),
        },
    )
    component = await load_any(guests.loader, Artifact.from_text(wat), host)
    assert component.world.resources == {"a": "a", "b": "b", "again": "a"}
    instance = await component.instantiate()
    guests.started.append(instance)
    assert await instance.call("f", "A", "B") is True
    assert events == [("a", "A"), "B"]
    with pytest.raises(GuestTrapped) as caught:
        await instance.call("g", "B")
    assert caught.value.reason is TrapReason.BAD_VALUE, caught.value.text


# -- the table itself, in an empty store


@pytest.fixture
async def table(guests):
    store = Store(guests.runtime.engine)
    dropped = []
    yield store.give_resources(HostResources({"thing": dropped.append})), dropped
    store.close()


async def test_a_value_that_is_too_much_loses_nothing(table):
    handles, dropped = table
    wit = Tuple((Own("thing"), STRING))
    marshaller = Marshaller(function(to=wit))
    _frame, address = marshaller.lower_result(("A", "x" * 50), handles)
    budget = Budget(10)
    budget.handles = handles
    with pytest.raises(TooMuch):
        marshaller.lift_result(address, budget)
    handles.handed_over()
    handles.close()
    assert dropped == ["A"]


async def test_a_number_that_is_in_use_is_not_given_again(table):
    handles, _ = table
    marshaller = Marshaller(function(to=Own("thing")))
    marshaller.lower_result("A", handles)
    handles._last = 0
    _frame, address = marshaller.lower_result("B", handles)
    assert len(handles) == 2
    budget = Budget(0)
    budget.handles = handles
    assert marshaller.lift_result(address, budget) == "B"
    handles.handed_over()


async def test_a_handle_is_lifted_once(table):
    handles, _ = table
    marshaller = Marshaller(function(to=Own("thing")))
    _frame, address = marshaller.lower_result("A", handles)
    budget = Budget(0)
    budget.handles = handles
    marshaller.lift_result(address, budget)
    with pytest.raises(LookupError, match="did not return a resource"):
        marshaller.lift_result(address, budget)
    handles.handed_over()


def test_a_marshaller_without_a_table_has_no_resources():
    marshaller = Marshaller(function(to=Own("thing")))
    with pytest.raises(ValueUnfit, match="is not a valid thing @ result"):
        marshaller.lower_result("A")


async def test_guests_that_were_not_closed_drop_what_they_hold(holder, guests, things):
    await (await holder()).call("keep", Thing(1))
    with pytest.warns(ResourceWarning, match="a guest store was not closed"):
        guests.started.clear()
    assert things.events == [("dropped", 1)]


async def test_no_box_is_left_over(compiled, things, monkeypatch):
    """Every box of a handle that C makes is deleted once, or wasmtime's.

    Only wasmtime's component API has such boxes.
    """
    made, deleted = [], []
    to_any, delete = c.resource_host_to_any, c.resource_any_delete

    def note_made(context, host, out):
        error = to_any(context, host, out)
        made.append(int.from_bytes(MEMORY[out : out + 8], "little"))
        return error

    def note_deleted(box):
        deleted.append(box)
        delete(box)

    monkeypatch.setattr(c, "resource_host_to_any", note_made)
    monkeypatch.setattr(c, "resource_any_delete", note_deleted)
    async with open_guests(compiled, lane="wasmtime") as guests:
        component = await load_any(guests.loader, Artifact.at(WAT), things.host)
        await use_boxes(component, made, deleted)
    assert len(made) == 7
    assert sorted(made) == sorted(deleted)


async def use_boxes(component, made, deleted):
    guest = await component.instantiate()
    await guest.call("keep", Thing(1))
    await guest.call("peek", Thing(2))
    await guest.call("make")
    assert sorted(made) == sorted(deleted)
    with pytest.raises(ValueUnfit):
        await guest.call("keep-two", Thing(1), Thing(2), 256)
    with pytest.raises(GuestTrapped):
        await guest.call("trap-with", Thing(3))
    assert sorted(made) == sorted(deleted)
    other = await component.instantiate()
    with trio.move_on_after(0.02):
        await other.call("spin", Thing(4))
    other.close()
    guest.close()
