"""Components of any world: values of every type through them, and who is refused."""

import functools
from array import array

import pytest
import trio
from hypothesis import HealthCheck, given, settings, strategies as st

from airssys.contracts import (
    Artifact,
    CapacityReached,
    ComponentRefused,
    EngineMisused,
    Fault,
    GuestSpent,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.testing import wait_until_idle
from airssys.wasm.host import SameAs, interfaces_of
from airssys.wasm.loading._any_instance import load_any
from airssys.wasm.values._types import (
    BYTES,
    CHAR,
    STRING,
    Case,
    Enum,
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
    Some,
    Tuple,
    ValueUnfit,
    record,
    variant,
)
from wasm_support import (
    HOST,
    echo_component,
    open_guests,
    same,
    types,
    values_of,
)

SEVERAL = settings(
    max_examples=settings.default.max_examples * 6 // 10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Mirror:
    """A component that echoes, and what passed through the host."""

    def __init__(self, instance, seen):
        self.instance = instance
        self.seen = seen

    async def echo(self, value, number=0):
        """Return what came back, after checking what the host was given."""
        self.seen.clear()
        found = await self.instance.call(f"run-{number}", value)
        assert len(self.seen) == 1
        assert same(self.seen[0], found)
        return found


async def open_mirror(guests, *wits, answer=lambda value: value, encoding="utf8"):
    seen = []

    def echo(value):
        seen.append(value)
        return answer(value)

    host = interfaces_of({f"{HOST}#echo-{number}": echo for number in range(len(wits))})
    artifact = Artifact.from_text(echo_component(*wits, encoding=encoding))
    component = await load_any(guests.loader, artifact, host)
    assert [each.result for each in component.world.exports.values()] == list(wits)
    assert [each.result for each in component.world.imports.values()] == list(wits)
    return Mirror(await component.instantiate(), seen)


@pytest.fixture
async def mirror(guests):
    """Opens mirrors and closes them."""
    opened = []

    async def make(*wits, **options):
        opened.append(await open_mirror(guests, *wits, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.instance.close()


# -- values of every type, host to guest to host to guest to host


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
@SEVERAL
@given(
    st.lists(types(), min_size=1, max_size=4).flatmap(
        lambda wits: st.tuples(
            st.just(wits),
            *(st.lists(values_of(wit), min_size=1, max_size=4) for wit in wits),
        )
    )
)
def test_any_value_of_any_type_comes_back_from_a_component(lane, drawn):
    wits, *lists = drawn

    async def main():
        async with open_guests(lane=lane) as guests:
            mirror = await open_mirror(guests, *wits)
            for number, values in enumerate(lists):
                for value in values:
                    assert same(await mirror.echo(value, number), value)
            mirror.instance.close()

    trio.run(main)


DEEP = Option(
    List(Tuple((variant(a=record(x=Float.F32, y=Option(CHAR)), b=None), STRING)))
)
EDGES = [
    *[(n, v) for n in Number if n is not Number.BOOL for v in n.value[2:]],
    (Number.BOOL, True),
    (Number.BOOL, False),
    (Float.F32, 1.5),
    (Float.F32, -0.0),
    (Float.F32, 2.0**-149),
    (Float.F32, float("inf")),
    (Float.F32, float("nan")),
    (Float.F64, 5e-324),
    (Float.F64, float("-inf")),
    (Float.F64, float("nan")),
    (CHAR, "\0"),
    (CHAR, "\ud7ff"),
    (CHAR, "\ue000"),
    (CHAR, "\U0010ffff"),
    (STRING, ""),
    (STRING, "a\0b"),
    (STRING, "\U0010ffff" * 1000),
    (BYTES, bytes(range(256)) * 300),
    (Flags(tuple(f"f{n}" for n in range(32))), frozenset({"f0", "f31"})),
    (Flags(("a",)), frozenset()),
    (Enum(tuple(f"e{n}" for n in range(300))), "e299"),
    (variant(**{f"c{n}": Number.U8 for n in range(300)}), Case("c299", 7)),
    (Option(Option(Option(STRING))), Some(Some(None))),
    (Option(Option(STRING)), None),
    (Result(None, None), Ok()),
    (Result(None, None), Err()),
    (Result(Option(STRING), STRING), Ok(None)),
    (Result(Option(STRING), STRING), Err("")),
    (Tuple((STRING,) * 17), ("x",) * 17),
    (DEEP, ((Case("a", (0.5, None)), "p"), (Case("b"), "q")) * 5),
    (List(Number.U64), tuple(range(10_000))),
    (List(STRING), tuple(f"text {n} ü" for n in range(5000))),
    (List(Number.BOOL), (True, False) * 500),
    (List(Float.F32), (0.5, float("nan")) * 500),
    (List(CHAR), tuple("grüße \U0001f600" * 99)),
]


@pytest.mark.unmeasured
async def test_values_at_the_edges_come_back(mirror):
    one = await mirror(*(wit for wit, _ in EDGES))
    for number, (_, value) in enumerate(EDGES):
        assert same(await one.echo(value, number), value)


@pytest.mark.parametrize("answer", [Ok(None), Ok("text"), Err("no"), Err("")])
async def test_a_host_function_may_answer_a_result_of_an_option(mirror, answer):
    wit = Result(Option(STRING), STRING)
    one = await mirror(wit, answer=lambda _: answer)
    assert await one.instance.call("run-0", Ok()) == answer


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        (0.1, 0.10000000149011612),
        (1e300, float("inf")),
        (-1e300, float("-inf")),
        (3.4028235677973366e38, float("inf")),
        (3.4028234663852886e38, 3.4028234663852886e38),
        (1e-60, 0.0),
        (7, 7.0),
    ],
)
async def test_a_float_is_rounded_to_f32(mirror, value, nearest):
    one = await mirror(Float.F32, List(Float.F32))
    assert same(await one.echo(value), nearest)
    assert same(await one.echo([value] * 6, 1), (nearest,) * 6)


LISTS = [
    (List(Number.U32), array("I", range(10))),
    (List(Number.S64), array("q", range(-5, 5))),
    (List(Number.U16), memoryview(array("H", range(20)))[::2]),
    (List(Number.U32), array("q", range(10))),
    (List(Number.U32), range(10)),
    (List(Number.S8), bytearray(b"0123456789")),
    (List(Float.F64), array("d", range(10))),
    (List(Float.F64), list(range(10))),
    (BYTES, memoryview(b"0123456789")[::2]),
    (BYTES, bytearray(b"abc")),
]


@pytest.mark.parametrize("number", range(len(LISTS)))
async def test_a_list_may_come_as_any_sequence(mirror, number):
    wit, value = LISTS[number]
    one = await mirror(wit)
    expected = bytes(value) if wit == BYTES else tuple(value)
    assert await one.echo(value) == expected


TEXTS = ("", "a", "hi", "\0", "a\0b", "\x80", "\x80b", "ab\xefc", "\xff" * 300)
WIDE_TEXTS = (
    "\u01ffy",
    "xy\u01ff",
    "a\ud7ffb",
    "a\u02ff\u03ff\u04ffbc",
    "\uf123",
    "🫠" * 9,
)


@pytest.mark.parametrize("encoding", ["utf8", "utf16", "latin1+utf16"])
async def test_strings_come_back_in_every_encoding_of_a_guest(mirror, encoding):
    one = await mirror(STRING, List(STRING), encoding=encoding)
    for text in TEXTS + WIDE_TEXTS:
        assert await one.echo(text) == text
    assert await one.echo(TEXTS + WIDE_TEXTS, 1) == TEXTS + WIDE_TEXTS


# -- what does not fit

TALL = 5000
NUMBERS = List(Number.U32)
ROWS = List(record(name=STRING, ids=Tuple((Number.U8, CHAR))))


class EqualsAnything:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 7


@pytest.mark.parametrize(
    ("wit", "value", "path"),
    [
        (NUMBERS, [1] * TALL + [-1], f"x[{TALL}]"),
        (NUMBERS, [1, 2, 3, True], "x[3]"),
        (NUMBERS, [1, 2, 3, 4.0], "x[3]"),
        (NUMBERS, array("d", [1.0] * 5), "x[0]"),
        (NUMBERS, memoryview(b"12345678").cast("B", (2, 4)), "x"),
        (List(Number.BOOL), [True] * 9 + [1], "x[9]"),
        (List(Float.F64), [1.0] * 9 + ["1"], "x[9]"),
        (List(Float.F64), [1.0] * 9 + [10**400], "x[9]"),
        (List(CHAR), ["a"] * 8 + ["ab"], "x[8]"),
        (List(CHAR), ["a"] * 8 + [""], "x[8]"),
        (List(CHAR), ["a"] * 8 + ["\ud800"], "x[8]"),
        (List(CHAR), ["a"] * 8 + [7], "x[8]"),
        (List(STRING), ["a"] * 8 + ["\ud800"], "x[8]"),
        (List(STRING), ["a"] * 8 + [b"a"], "x[8]"),
        (List(Enum(("a", "b"))), ["a"] * 5 + ["c"], "x[5]"),
        (List(Enum(("a", "b"))), ["a"] * 5 + [[]], "x[5]"),
        (ROWS, [("a", (1, "b"))] * 7 + [("a", (256, "b"))], "x[7].ids.0"),
        (ROWS, [("a", (1, "b"))] * 7 + [("a", 1)], "x[7].ids"),
        (ROWS, [("a", (1, "b"))] * 7 + [("a", (1,))], "x[7].ids"),
        (ROWS, [("a", (1, "b"))] * 7 + [("a", [1, "b"])], "x[7].ids"),
        (ROWS, [("\udfff", (1, "b"))] * 7, "x[0].name"),
        (List(List(NUMBERS)), [[], [[1], [1, 2, -1]]], "x[1][1][2]"),
        (Result(ROWS, None), Ok([("a", (1, ""))]), "x.ok[0].ids.1"),
        (List(variant(a=NUMBERS)), [Case("a", [7, "8"])], "x[0].a[1]"),
        (variant(a=None, b=NUMBERS), Case([], None), "x"),
        (variant(a=None, b=NUMBERS), Case({"a": 1}, [1]), "x"),
        (variant(a=None, b=NUMBERS), Case(None, None), "x"),
        (Enum(("a", "b")), {}, "x"),
        (Flags(("a", "b")), {None}, "x"),
        (Flags(("a", "b")), {EqualsAnything()}, "x"),
        (Flags(("a", "b")), {"a", "c"}, "x"),
        (Flags(("a", "b")), ["a"], "x"),
        (Option(Option(STRING)), "text", "x"),
        (Option(Option(STRING)), Some(7), "x"),
        (Result(None, STRING), Ok("text"), "x.ok"),
        (Float.F32, "1", "x"),
        (Float.F32, True, "x"),
        (CHAR, "ab", "x"),
        (CHAR, "\udfff", "x"),
    ],
)
async def test_what_does_not_fit_is_named_with_its_path(mirror, wit, value, path):
    one = await mirror(wit)
    with pytest.raises(ValueUnfit) as caught:
        await one.instance.call("run-0", value)
    assert caught.value.path == path
    assert str(caught.value).endswith(f" @ {path}")
    assert not one.seen
    assert one.instance.spent is None


async def test_a_value_that_cannot_even_be_shown_is_refused(mirror):
    class Shy:
        def __repr__(self):
            raise OSError

    one = await mirror(STRING)
    with pytest.raises(ValueUnfit, match=r"a value \(Shy\) is not a valid str @ x"):
        await one.instance.call("run-0", Shy())


async def test_an_answer_that_does_not_fit_costs_the_instance(mirror):
    one = await mirror(Number.U8, answer=lambda _: 256)
    with pytest.raises(
        GuestTrapped, match=r"256 .* is not a valid u8 @ result"
    ) as caught:
        await one.instance.call("run-0", 1)
    assert caught.value.reason is TrapReason.HOST_ERROR
    with pytest.raises(GuestSpent):
        await one.instance.call("run-0", 1)


async def test_a_type_nested_very_deep_does_not_meet_the_recursion_limit(mirror):
    wit, value = NUMBERS, (1, 2, 3)
    for _ in range(7):
        wit, value = List(Option(Result(wit, None))), (None, Ok(value))
    for _ in range(20):
        wit, value = record(a=Tuple((wit,))), ((value,),)
    one = await mirror(wit)
    assert await one.echo(value) == value


def doubled(wit, value, times):
    for _ in range(times):
        wit, value = Tuple((wit, wit)), (value, value)
    return wit, value


def nested(wit, value, times, around):
    for _ in range(times):
        wit, value = around(wit), (value,)
    return wit, value


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("wit", "value"),
    [
        doubled(record(a=STRING), ("x",), 7),
        nested(Number.U8, 1, 90, lambda wit: Tuple((wit,))),
        nested(STRING, "x", 90, List),
        (variant(**{f"c{n}": STRING for n in range(1000)}), Case("c999", "x")),
        (Tuple((Number.U8,) * 500), (1,) * 500),
    ],
)
async def test_large_types_are_types(mirror, wit, value):
    one = await mirror(wit)
    assert await one.echo(value) == value


# -- calls

ADDER = """(component
  (import "log" (func $log (param "n" u32)))
  (import "acme:shop/till" (instance $till
    (export "wait" (func (param "a" u32) (param "b" u32) (result u32)))))
  (core func $log (canon lower (func $log)))
  (core func $wait (canon lower (func $till "wait")))
  (core module $m
    (import "h" "log" (func $log (param i32)))
    (import "h" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "add") (param i32 i32) (result i32)
      (call $log (local.get 0))
      (call $wait (local.get 0) (local.get 1)))
    (func (export "spin") (loop (br 0)))
    (func (export "many") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
      (result i32) (local.get 11)))
  (core instance $i (instantiate $m (with "h" (instance
    (export "log" (func $log)) (export "wait" (func $wait))))))
  (func $add (param "a" u32) (param "b" u32) (result u32)
    (canon lift (core func $i "add")))
  (instance (export "acme:shop/sums") (export "add" (func $add)))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "many") PARAMS (result u32) (canon lift (core func $i "many"))))
""".replace("PARAMS", " ".join(f'(param "p{n}" u32)' for n in range(12)))


async def add_later(one, other):
    await trio.sleep(0.001)
    return one + other


async def start_adder(guests, logged, limits=None, add=add_later):
    host = interfaces_of({"log": logged.append, "acme:shop/till#wait": add})
    component = await load_any(guests.loader, Artifact.from_text(ADDER), host)
    instance = await component.instantiate(limits)
    guests.started.append(instance)
    return instance


async def test_functions_of_interfaces_and_of_none_are_called_by_name(guests):
    logged = []
    adder = await start_adder(guests, logged)
    assert await adder.call("acme:shop/sums#add", 2, 3) == 5
    assert logged == [2]
    assert await adder.call("many", *range(12)) == 11
    with pytest.raises(KeyError):
        await adder.call("add", 2, 3)
    with pytest.raises(ValueUnfit, match="1 values for 2 parameters"):
        await adder.call("acme:shop/sums#add", 2)
    assert await adder.call("acme:shop/sums#add", 2, 4) == 6


async def test_a_call_obeys_its_limits_and_can_be_cancelled(guests):
    adder = await start_adder(guests, [])
    with trio.move_on_after(0.02) as scope:
        await adder.call("spin")
    assert scope.cancelled_caught
    assert adder.spent.reason is TrapReason.CANCELLED
    with pytest.raises(GuestSpent):
        await adder.call("many", *range(12))
    other = await start_adder(guests, [])
    with pytest.raises(GuestTrapped) as caught:
        await other.call("spin", deadline=trio.current_time() + 0.02)
    assert caught.value.reason is TrapReason.DEADLINE
    assert caught.value.fault is Fault.SENDER


async def test_an_instance_does_one_call_at_a_time(guests):
    may_end = trio.Event()

    async def add_when_it_may(one, other):
        await may_end.wait()
        return one + other

    adder = await start_adder(guests, [], add=add_when_it_may)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(adder.call, "acme:shop/sums#add", 1, 2)
        await wait_until_idle()
        with pytest.raises(EngineMisused):
            await adder.call("many", *range(12))
        may_end.set()
    adder.close()
    with pytest.raises(GuestSpent, match="closed"):
        await adder.call("many", *range(12))
    adder.close()


async def test_large_values_are_moved_by_a_worker(guests):
    mirror = await open_mirror(guests, BYTES)
    guests.started.append(mirror.instance)
    data = bytes(range(256)) * 1024
    assert await mirror.echo(data) == data
    assert await mirror.echo(b"small") == b"small"


async def test_fuel_is_filled_up_before_each_call(guests):
    adder = await start_adder(guests, [], limits=Limits(fuel=10_000))
    for _ in range(1000):
        assert await adder.call("many", *range(12)) == 11
    with pytest.raises(GuestTrapped) as caught:
        await adder.call("spin")
    assert caught.value.reason is TrapReason.FUEL_EXHAUSTED


async def test_a_call_waits_for_its_turn(guests):
    limits = Limits(execution_time=0.05)
    spinning = [await start_adder(guests, [], limits) for _ in range(3)]
    adder = await start_adder(guests, [])
    async with trio.open_nursery() as nursery:
        for each in spinning:
            nursery.start_soon(spin_to_the_end, each)
        for _ in range(5):
            assert await adder.call("many", *range(12)) == 11
            await trio.sleep(0.005)


async def spin_to_the_end(adder):
    with pytest.raises(GuestTrapped) as caught:
        await adder.call("spin")
    assert caught.value.reason is TrapReason.TIME_LIMIT


async def test_a_failing_start_leaves_nothing_open(guests):
    wat = """(component (core module $m (func $f unreachable) (start $f))
      (core instance (instantiate $m)))"""
    component = await load_any(guests.loader, Artifact.from_text(wat), ())
    with pytest.raises(GuestTrapped) as caught:
        await component.instantiate()
    assert caught.value.phase == "instantiate"
    assert not guests.runtime.engine.ledger.stores


# -- who is refused


async def refusal(guests, wat, **host):
    with pytest.raises(ComponentRefused) as caught:
        await load_any(guests.loader, Artifact.from_text(wat), interfaces_of(**host))
    return str(caught.value)


async def test_everything_that_is_missing_is_named(guests):
    text = await refusal(guests, ADDER)
    assert (
        "it imports log, acme:shop/till#wait, which this host does not provide" in text
    )
    text = await refusal(
        guests,
        '(component (import "a:b/c" (instance (export "r" (type (sub resource))))))',
    )
    assert "it imports a:b/c#r, which" in text


OWN_RESOURCE = """(component
  (type $r (resource (rep i32)))
  (export $x "r" (type $r))
  (core module $m (func (export "f") (result i32) (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "f") (result (own $x)) (canon lift (core func $i "f"))))"""

DOUBLING = "(component (type $t0 (tuple u8 u8)) {} {})".format(
    " ".join(f"(type $t{n} (tuple $t{n - 1} $t{n - 1}))" for n in range(1, 16)),
    '(import "f" (func (param "x" (list $t15))))',
)

MANY_NAMES = """(component (import "i" (instance
  (type $is (enum {})) (export "t" (type $t (eq $is)))
  (export "f" (func (param "x" (tuple {}))))))
)""".format(" ".join(f'"e{n}"' for n in range(200)), "$t " * 60)


@pytest.mark.parametrize(
    ("wat", "text"),
    [
        ('(component (import "m" (core module)))', "its import m is a module"),
        (DOUBLING, "its import f has types of more than 10000 parts"),
        (MANY_NAMES, "its import i#f has types of more than 10000 parts"),
    ],
)
async def test_what_cannot_be_spoken_to_is_refused_at_load(guests, wat, text):
    assert text in await refusal(guests, wat)


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_resources_of_a_component_go_through_the_own_lane_only(lane):
    async with open_guests(lane=lane) as guests:
        if lane == "wasmtime":
            text = await refusal(guests, OWN_RESOURCE)
            assert "its export f has a resource that is defined by a component" in text
        else:
            loaded = await load_any(guests.loader, Artifact.from_text(OWN_RESOURCE))
            assert loaded.world.exports["f"].result == Own("r")


async def test_types_that_no_function_mentions_do_no_harm(guests):
    wat = """(component (type $u u8) (import "t" (type (eq $u)))
      (import "i" (instance (type $u u8) (export "t" (type (eq $u))))))"""
    component = await load_any(guests.loader, Artifact.from_text(wat), ())
    assert component.world.exports == {}
    (await component.instantiate()).close()


async def test_the_world_of_a_component_can_be_read(guests):
    host = interfaces_of({"log": print, "acme:shop/till#wait": add_later})
    component = await load_any(guests.loader, Artifact.from_text(ADDER), host)
    two = (("a", Number.U32), ("b", Number.U32))
    assert component.world.exports["acme:shop/sums#add"] == Function(two, Number.U32)
    assert list(component.world.imports) == ["log", "acme:shop/till#wait"]
    assert component.world.imports["log"] == Function((("n", Number.U32),), None)


async def test_no_instance_is_made_when_there_are_no_maps(guests, monkeypatch):
    component = await load_any(guests.loader, Artifact.from_text("(component)"), ())

    def check(_maps):
        raise CapacityReached("no maps")

    monkeypatch.setattr(guests.runtime.maps, "check", check)
    with pytest.raises(CapacityReached):
        await component.instantiate()


# -- host functions that wait, whatever they are


class Waiting:
    """An object that is called, and waits."""

    async def __call__(self, value):
        await trio.sleep(0.001)
        return value


class Method:
    async def echo(self, value):
        await trio.sleep(0.001)
        return value


WAITING = {
    "object": Waiting(),
    "method": Method().echo,
    "partial": functools.partial(Waiting()),
    "partial of a partial": functools.partial(functools.partial(Method().echo)),
}


@pytest.mark.parametrize("kind", WAITING)
async def test_a_host_function_of_any_kind_may_wait(guests, kind):
    host = interfaces_of({f"{HOST}#echo-0": WAITING[kind]})
    artifact = Artifact.from_text(echo_component(Number.U32))
    instance = await (await load_any(guests.loader, artifact, host)).instantiate()
    guests.started.append(instance)
    assert await instance.call("run-0", 7) == 7


@pytest.mark.parametrize("wit", [Number.U32, Option(STRING)])
async def test_one_that_is_not_seen_to_wait_is_reported(guests, wit):
    waiting = Waiting()

    def echo(value):
        return waiting(value)

    host = interfaces_of({f"{HOST}#echo-0": echo})
    artifact = Artifact.from_text(echo_component(wit))
    instance = await (await load_any(guests.loader, artifact, host)).instantiate()
    guests.started.append(instance)
    with pytest.raises(
        GuestTrapped, match=r"returned a coroutine.*async def"
    ) as caught:
        await instance.call("run-0", 7 if wit is Number.U32 else None)
    assert caught.value.reason is TrapReason.HOST_ERROR


# -- resources are distinguished by what they are, not by their names

SHOP = """(component
  (import "acme:shop/till" (instance $h
    (export "ticket" (type $t (sub resource)))
    (export "drawer" (type $d {drawer}))
    (export "open" (func (param "d" (borrow $d))))
    (export "make" (func (result (own {made}))))))
  (core func $make (canon lower (func $h "make")))
  (core func $open (canon lower (func $h "open")))
  (core module $m
    (import "h" "make" (func $make (result i32)))
    (import "h" "open" (func $open (param i32)))
    (func (export "run") (call $open (call $make))))
  (core instance $i (instantiate $m (with "h" (instance
    (export "make" (func $make)) (export "open" (func $open))))))
  (func (export "run") (canon lift (core func $i "run"))))"""
TICKET, DRAWER = "acme:shop/till#ticket", "acme:shop/till#drawer"


def shop(drawer_is, /, **resources):
    opened = []
    functions = {
        "acme:shop/till#open": opened.append,
        "acme:shop/till#make": lambda: "it",
    }
    made = "$d" if drawer_is == "(sub resource)" else "$t"
    artifact = Artifact.from_text(SHOP.format(drawer=drawer_is, made=made))
    named = {f"acme:shop/till#{name}": meant for name, meant in resources.items()}
    return artifact, interfaces_of(functions, named), opened


async def test_one_resource_cannot_be_taken_for_another(guests):
    artifact, host, _ = shop("(eq $t)", ticket=None, drawer=None)
    with pytest.raises(ComponentRefused) as caught:
        await load_any(guests.loader, artifact, host)
    assert f"it takes for one resource what are two: {DRAWER} and {TICKET}" in str(
        caught.value
    )


async def test_a_name_that_the_host_does_not_know_is_not_a_resource_of_it(guests):
    artifact, host, _ = shop("(eq $t)", ticket=None)
    with pytest.raises(ComponentRefused, match=f"it imports {DRAWER}, which this host"):
        await load_any(guests.loader, artifact, host)


@pytest.mark.parametrize("drawer", ["(eq $t)", "(sub resource)"])
async def test_the_host_says_which_are_the_same(guests, drawer):
    artifact, host, opened = shop(drawer, ticket=None, drawer=SameAs(TICKET))
    component = await load_any(guests.loader, artifact, host)
    instance = await component.instantiate()
    guests.started.append(instance)
    await instance.call("run")
    assert opened == ["it"]


async def test_two_that_are_two_stay_two(guests):
    artifact, host, opened = shop("(sub resource)", ticket=None, drawer=None)
    component = await load_any(guests.loader, artifact, host)
    assert component.resources.number_of(TICKET) != component.resources.number_of(
        DRAWER
    )
    instance = await component.instantiate()
    guests.started.append(instance)
    await instance.call("run")
    assert opened == ["it"]


@pytest.mark.parametrize("wrong", ["nobody", "a", "b"])
def test_the_same_as_what_is_not_a_resource_is_refused(wrong):
    with pytest.raises(
        ValueError, match="missing or a SameAs itself: name one that has"
    ):
        interfaces_of(resources={"a": SameAs(wrong), "b": SameAs("a"), "c": None})
