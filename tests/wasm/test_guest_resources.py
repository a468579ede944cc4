"""Resources that a guest defines, used from Python: made, lent, given back, destroyed."""

import functools
import gc
from pathlib import Path

import pytest
import trio
from hypothesis import given, settings, strategies as st

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    EngineMisused,
    GuestSpent,
    GuestTrapped,
    Limits,
    SnapshotRefused,
    TrapReason,
)
from airssys.wasm import load_any
from airssys.wasm.host import interfaces_of
from airssys.wasm.values import ValueUnfit
from wasm_support import open_guests

WAT = Path(__file__).with_name("own_things.wat")
FEW = settings(max_examples=max(10, settings.default.max_examples // 4), deadline=None)


class Keeper:
    """Instances of `own_things.wat`, and what their host does when it is asked."""

    def __init__(self, guests):
        self._guests = guests
        self.asked = []
        self.answers = trio.Event()
        self.answers.set()

    async def open(self):
        async def ask(number):
            self.asked.append(number)
            await self.answers.wait()
            return number + 1

        host = interfaces_of({"asked": ask})
        self._component = await load_any(self._guests.loader, Artifact.at(WAT), host)
        return self

    async def restore(self, snapshot):
        instance = await self._component.restore(snapshot)
        self._guests.started.append(instance)
        return instance

    async def start(self, **limits):
        instance = await self._component.instantiate(Limits(**limits))
        self._guests.started.append(instance)
        return instance


@pytest.fixture
async def keeper(compiled):
    async with open_guests(compiled, lane="own") as guests:
        yield await Keeper(guests).open()


@pytest.fixture
async def guest(keeper):
    return await keeper.start()


async def make(guest, number):
    return await guest.call("[constructor]thing", number)


async def test_a_resource_is_made_used_and_closed(guest):
    thing = await make(guest, 5)
    assert thing.name == "thing"
    assert await thing.call("number") == 5
    assert await guest.call("[method]thing.number", thing) == 5
    assert await guest.call("drops") == 0
    await thing.aclose()
    assert [await guest.call("drops"), await guest.call("last")] == [1, 5]
    await thing.aclose()
    assert await guest.call("drops") == 1
    assert repr(thing) == "<thing of a guest, given away or closed>"


async def test_it_is_closed_at_the_end_of_its_block(guest):
    async with await make(guest, 6) as thing:
        assert await thing.call("number") == 6
    assert await guest.call("last") == 6


async def test_what_the_garbage_collector_finds_is_dropped_before_the_next_call(guest):
    things = [await make(guest, number) for number in (1, 2, 3)]
    del things[1:]
    gc.collect()
    assert await guest.call("drops") == 2
    things.clear()
    await guest.drop_abandoned()
    assert not guest._store.has_abandoned
    assert await guest.call("drops") == 3


async def test_what_was_given_back_is_the_guests_to_destroy(guest):
    thing = await make(guest, 7)
    handle = await guest.call("keep", thing)
    await thing.aclose()
    del thing
    assert await guest.call("drops") == 0
    assert await guest.call("rep", handle) == 7
    await guest.call("drop", handle)
    assert [await guest.call("drops"), await guest.call("last")] == [1, 7]


async def test_a_handle_is_used_again_once_it_is_free(guest):
    one = await guest.call("new", 1)
    two = await guest.call("new", 2)
    assert (one, two) == (1, 2)
    await guest.call("drop", one)
    assert await guest.call("new", 3) == one
    assert await guest.call("rep", one) == 3


@pytest.mark.parametrize("name", ["keep", "[method]thing.number", "both"])
async def test_what_was_given_away_is_not_the_hosts_to_use(guest, name):
    thing, other = await make(guest, 8), await make(guest, 9)
    await guest.call("keep", thing)
    values = (thing, other) if name == "both" else (thing,)
    with pytest.raises(ValueUnfit, match="thing was given away or closed"):
        await guest.call(name, *values)
    assert guest.spent is None


@pytest.mark.parametrize("name", ["both", "both-owned", "both-lent-first"])
async def test_it_cannot_be_given_and_lent_or_given_twice_in_one_call(guest, name):
    thing = await make(guest, 4)
    with pytest.raises(ValueUnfit, match=r"given away|lent to the same call"):
        await guest.call(name, thing, thing)
    assert await thing.call("number") == 4
    assert await guest.call("[static]thing.sum", thing, thing) == 8
    await thing.aclose()
    assert await guest.call("drops") == 1


@pytest.mark.parametrize("value", ["plain", "other", "text", "none"])
async def test_what_is_not_a_resource_of_that_type_and_instance_is_refused(
    keeper, guest, value
):
    other = await keeper.start()
    values = {
        "plain": await guest.call("make-plain", 1),
        "other": await make(other, 1),
        "text": "thing",
        "none": None,
    }
    for name in ("keep", "[method]thing.number"):
        with pytest.raises(ValueUnfit):
            await guest.call(name, values[value])
    assert guest.spent is None


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("rep", (1,), "no such handle"),
        ("drop", (1,), "no such handle"),
        ("drop", (0,), "no such handle"),
        ("give", (2**32 - 1,), "no such handle"),
    ],
)
async def test_a_guest_cannot_use_a_handle_that_it_has_not(guest, name, values, text):
    with pytest.raises(GuestTrapped, match=text) as caught:
        await guest.call(name, *values)
    assert caught.value.reason is TrapReason.BAD_VALUE


@pytest.mark.parametrize(
    ("make_it", "use"), [("new", "drop-plain"), ("keep-plain", "rep")]
)
async def test_a_guest_cannot_use_a_handle_as_one_of_another_type(guest, make_it, use):
    value = 1 if make_it == "new" else await guest.call("make-plain", 1)
    handle = await guest.call(make_it, value)
    with pytest.raises(GuestTrapped, match="of another resource") as caught:
        await guest.call(use, handle)
    assert caught.value.reason is TrapReason.BAD_VALUE


# -- destructors are calls


async def test_a_destructor_that_traps_spends_the_instance(guest):
    thing = await make(guest, 66)
    with pytest.raises(GuestTrapped) as caught:
        await thing.aclose()
    assert caught.value.reason is TrapReason.UNREACHABLE
    assert caught.value.phase == "resource-drop"
    assert guest.spent is caught.value
    await thing.aclose()


async def test_a_destructor_that_traps_in_a_drop_of_the_guest_does_too(guest):
    handle = await guest.call("new", 66)
    with pytest.raises(GuestTrapped) as caught:
        await guest.call("drop", handle)
    assert caught.value.reason is TrapReason.UNREACHABLE


@pytest.mark.parametrize("from_guest", [False, True])
async def test_a_destructor_that_spins_is_stopped_by_the_limits(keeper, from_guest):
    guest = await keeper.start(execution_time=0.05)
    if from_guest:
        drop = functools.partial(guest.call, "drop", await guest.call("new", 77))
    else:
        drop = (await make(guest, 77)).aclose
    with pytest.raises(GuestTrapped) as caught:
        await drop()
    assert caught.value.reason is TrapReason.TIME_LIMIT


async def test_a_destructor_that_spins_lets_others_run(keeper):
    guest = await keeper.start(execution_time=60)
    thing = await make(guest, 77)
    turns = 0
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thing.aclose)
            for turns in range(20):  # noqa: B007  # how far it came
                await trio.lowlevel.checkpoint()
            scope.cancel()
    assert turns == 19
    assert guest.spent.reason is TrapReason.CANCELLED


@pytest.mark.parametrize("from_guest", [False, True])
async def test_a_destructor_may_wait_for_the_host(keeper, guest, from_guest):
    if from_guest:
        await guest.call("drop", await guest.call("new", 88))
    else:
        await (await make(guest, 88)).aclose()
    assert keeper.asked == [88]
    assert await guest.call("last") == 89


async def test_an_abandoned_resource_whose_destructor_traps_costs_the_next_call(guest):
    await make(guest, 66)
    gc.collect()
    with pytest.raises(GuestTrapped) as caught:
        await guest.call("drops")
    assert caught.value.reason is TrapReason.UNREACHABLE


async def test_closing_in_the_middle_of_a_call_waits_for_its_end(keeper, guest):
    one, two = await make(guest, 1), await make(guest, 2)
    keeper.answers = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guest.call, "ask-with", one)
        while not keeper.asked:
            await trio.lowlevel.checkpoint()
        with pytest.raises(EngineMisused, match="is lent to a call"):
            await one.aclose()
        await two.aclose()
        keeper.answers.set()
    assert await guest.call("drops") == 1
    await one.aclose()
    assert await guest.call("drops") == 2


async def test_nothing_is_left_to_do_when_the_instance_is_closed(guest):
    thing = await make(guest, 1)
    guest.close()
    with pytest.raises(GuestSpent):
        await thing.call("number")
    await thing.aclose()


async def test_the_wasmtime_lane_refuses_what_it_cannot_do(compiled):
    async with open_guests(compiled, lane="wasmtime") as guests:
        with pytest.raises(ComponentRefused, match="defined by a component"):
            await Keeper(guests).open()


# -- where a guest may not call out of itself

LEAVING = """(component
  (import "ask" (func $ask)) (core func $ask (canon lower (func $ask)))
  (type $t (resource (rep i32)))
  (core func $new (canon resource.new $t)) (core func $rep (canon resource.rep $t))
  (core func $drop (canon resource.drop $t))
  (core module $m
    (import "h" "ask" (func $ask)) (import "h" "new" (func $new (param i32) (result i32)))
    (import "h" "rep" (func $rep (param i32) (result i32)))
    (import "h" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc} (i32.const 64))
    (func (export "f") (param i32 i32) (result i32) {body} (i32.const 8))
    (func (export "post") (param i32) {post}))
  (core instance $i (instantiate $m (with "h" (instance (export "ask" (func $ask))
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "f") (param "x" string) (result string) (canon lift (core func $i "f")
    (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
    (post-return (core func $i "post")))))"""
LEAVES = {
    "ask": "(call $ask)",
    "new": "(drop (call $new (i32.const 1)))",
    "drop": "(call $drop (call $new (i32.const 1)))",
    "rep": "(drop (call $rep (i32.const 1)))",
}


@pytest.mark.parametrize("where", ["realloc", "body", "post"])
@pytest.mark.parametrize("what", LEAVES)
async def test_a_guest_may_not_call_out_of_realloc_and_post_return(
    compiled, what, where
):
    places = dict.fromkeys(("realloc", "body", "post"), "") | {where: LEAVES[what]}
    artifact = Artifact.from_text(LEAVING.format(**places))
    host = interfaces_of({"ask": lambda: None})
    async with open_guests(compiled, lane="own") as guests:
        guest = await (await load_any(guests.loader, artifact, host)).instantiate()
        guests.started.append(guest)
        if where == "body" and what != "rep":
            assert await guest.call("f", "x") == ""
            return
        with pytest.raises(GuestTrapped) as caught:
            await guest.call("f", "x")
    assert caught.value.reason is TrapReason.BAD_VALUE
    may = what == "rep"  # the reference lets an instance check its handles anywhere
    assert ("no such handle" if may else "where it may not") in caught.value.text


async def test_a_handle_that_was_lent_may_not_be_left_at_the_end_of_a_call(compiled):
    things = Path(__file__).with_name("things.wat")
    functions = dict.fromkeys(["make", "look", "take"], lambda *_: None)
    host = interfaces_of(
        {f"test:things/host#{name}": act for name, act in functions.items()},
        {"test:things/host#thing": None},
    )
    async with open_guests(compiled, lane="own") as guests:
        component = await load_any(guests.loader, Artifact.at(things), host)
        guest = await component.instantiate()
        guests.started.append(guest)
        with pytest.raises(GuestTrapped, match="left at the end of a call"):
            await guest.call("hold-on", "thing")


# -- a model of the reference's rules


class Model:
    """The owner of each resource: the guest, under a handle, or the host."""

    def __init__(self, guest):
        self._guest = guest
        self._free = []
        self._size = 1
        self.table = {}
        self._held = []
        self.dropped = []

    def _add(self, number):
        handle = self._free.pop() if self._free else self._size
        self._size = max(self._size, handle + 1)
        self.table[handle] = number
        return handle

    def _remove(self, handle):
        self._free.append(handle)
        return self.table.pop(handle)

    async def new(self, number):
        assert await self._guest.call("new", number) == self._add(number)

    async def make(self, number):
        self._held.append((await make(self._guest, number), number))

    async def with_handle(self, step, handle):
        """Have the guest do something with a handle; False if that ended it."""
        call = functools.partial(self._guest.call, step, handle)
        if handle not in self.table:
            with pytest.raises(GuestTrapped, match="no such handle"):
                await call()
            return False
        if step == "rep":
            assert await call() == self.table[handle]
        elif step == "drop":
            await call()
            self.dropped.append(self._remove(handle))
        else:
            self._held.append((await call(), self._remove(handle)))
        return True

    async def with_thing(self, step, which):
        """Have the host do something with one of the things that it holds."""
        if not self._held:
            return
        place = which % len(self._held)
        thing, number = self._held[place]
        if step == "look":
            assert await thing.call("number") == number
            return
        del self._held[place]
        if step == "keep":
            assert await self._guest.call("keep", thing) == self._add(number)
        else:
            await thing.aclose()
            self.dropped.append(number)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["new", "make", "rep", "drop", "give", "look", "keep", "close"]
        ),
        st.integers(0, 5),
    ),
    max_size=40,
)


async def follow(guest, steps):
    """Do the steps in a guest and in the model; a trap ends both."""
    model = Model(guest)
    for number, (step, which) in enumerate(steps, start=1000):
        if which and model.table and step in {"rep", "drop", "give"}:
            which = list(model.table)[which % len(model.table)]  # noqa: PLW2901  # one that there is
        if step in {"new", "make"}:
            await getattr(model, step)(number)
        elif step in {"look", "keep", "close"}:
            await model.with_thing(step, which)
        elif not await model.with_handle(step, which):
            return
        assert await guest.call("drops") == len(model.dropped)
        assert await guest.call("last") == (model.dropped or [0])[-1]
    assert len(guest._store.instance.states[0]) == len(model.table)


@FEW
@given(STEPS)
def test_any_sequence_of_steps_agrees_with_the_reference(steps):
    async def main():
        async with open_guests(lane="own") as guests:
            guest = await (await Keeper(guests).open()).start()
            await follow(guest, steps)

    trio.run(main)


async def test_an_instance_is_saved_when_its_resources_are_not_held_outside(keeper):
    guest = await keeper.start()
    thing = await make(guest, 5)
    with pytest.raises(SnapshotRefused, match="held outside"):
        await guest.snapshot()
    await thing.aclose()
    snapshot = await guest.snapshot()
    other = await keeper.restore(snapshot)
    assert (await other.snapshot()) == snapshot
    async with await make(other, 6) as again:
        assert again.is_owned
    with pytest.raises(EngineMisused, match="never called"):
        await guest.restore(snapshot)


async def test_a_resource_that_was_lost_is_dropped_before_a_snapshot(keeper):
    guest = await keeper.start()
    thing = await make(guest, 5)
    del thing
    gc.collect()
    assert await keeper.restore(await guest.snapshot())
