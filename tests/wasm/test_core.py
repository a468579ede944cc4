"""Components run as core modules: values, waiting, start functions, what guests do wrong.

Guests here are polled by hand, without Trio; epochs pass when a test says so.
"""

import functools
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st
from wasmtime import wat2wasm

from airssys.contracts import EngineMisused, TrapReason
from airssys.wasm.host._core_values import config_value, message_value
from airssys.wasm.lane.abi import Rule, RuleBroken
from airssys.wasm.lane.adapters import LARGE
from airssys.wasm.lane.components import Unsupported, make_plan, parse
from airssys.wasm.lane.core import (
    CoreFailed,
    CoreInstance,
    GuestResource,
    link,
)
from airssys.wasm.values._types import Number, ValueUnfit
from wasm_support import (
    HOST,
    TYPED_VALUES,
    Lane,
    call,
    echo_component,
    envelope,
    polls,
    same,
)

GUESTS = Path(__file__).resolve().parents[1] / "guests"
LIFECYCLE = "airssys:core/component-lifecycle@1.0.0"
FEW = settings(max_examples=max(10, settings.default.max_examples // 4))


def echoing(wit, encoding, *, pauses):
    """Make a component whose `run-0` gives back what the host gives back."""
    name = f"{HOST}#echo-0"
    text = echo_component(wit, encoding=encoding)
    if pauses:
        return Lane(text)
    return Lane(text, {name: lambda _, value: value})


@pytest.mark.parametrize("pauses", [False, True])
@FEW
@given(TYPED_VALUES, st.sampled_from(["utf8", "utf16", "latin1+utf16"]))
def test_any_value_goes_through_a_guest_to_the_host_and_back(pauses, typed, encoding):
    wit, value = typed
    with echoing(wit, encoding, pauses=pauses) as lane:
        instance = lane.start()
        for _ in range(2):
            found = call(instance, "run-0", value, answer=lambda same: same)
            assert same(found, value)


@pytest.mark.parametrize("name", ["echo", "sleep"])
@pytest.mark.parametrize("size", [0, 64, LARGE - 1, LARGE, 2**20])
def test_messages_of_any_size_are_echoed(name, size):
    with guest(name) as lane:
        instance = lane.start()
        payload = b"1" * size
        message = message_value(envelope(payload))
        answer = call(
            instance, f"{LIFECYCLE}#handle-message", message, answer=lambda _: None
        )
        assert answer.value == payload


def guest(name):
    return Lane((GUESTS / f"{name}.wat").read_text())


def test_what_does_not_fit_is_refused_before_anything_is_called():
    with guest("echo") as lane:
        instance = lane.start()
        with pytest.raises(ValueUnfit):
            call(instance, f"{LIFECYCLE}#handle-message", ("not a message",))
        assert call(instance, f"{LIFECYCLE}#health") == "healthy"


TRAPS = {
    "trap-unreachable": TrapReason.UNREACHABLE,
    "trap-division-by-zero": TrapReason.DIVISION_BY_ZERO,
    "trap-integer-overflow": TrapReason.INTEGER_OVERFLOW,
    "trap-bad-conversion": TrapReason.BAD_CONVERSION,
    "trap-memory-out-of-bounds": TrapReason.MEMORY_OUT_OF_BOUNDS,
    "trap-null-indirect-call": TrapReason.NULL_INDIRECT_CALL,
    "trap-mistyped-indirect-call": TrapReason.MISTYPED_INDIRECT_CALL,
    "trap-table-out-of-bounds": TrapReason.TABLE_OUT_OF_BOUNDS,
    "trap-stack-exhausted": TrapReason.STACK_EXHAUSTED,
}


@pytest.mark.parametrize("name", [n for n in TRAPS if (GUESTS / f"{n}.wat").exists()])
def test_a_trap_has_its_reason_and_spends_the_instance(name):
    ignore = {"airssys:core/host-services@1.0.0#log": lambda *_: None}
    with Lane((GUESTS / f"{name}.wat").read_text(), ignore) as lane:
        instance = lane.start()
        message = message_value(envelope(b"x"))
        with pytest.raises(CoreFailed) as caught:
            call(instance, f"{LIFECYCLE}#handle-message", message)
        assert caught.value.reason is TRAPS[name]
        assert instance.is_spent
        with pytest.raises(EngineMisused):
            call(instance, f"{LIFECYCLE}#health")


# -- small components


CORE = """(component
  (core module $m
    {core})
  (core instance $i (instantiate $m))
  {rest})"""


def component(core, rest=""):
    return CORE.format(core=core, rest=rest)


ONE = '(func (export "f") (result u32) (canon lift (core func $i "f")))'


def test_a_start_function_runs_first_and_in_turns():
    text = component(
        """(global $n (mut i32) (i32.const 0))
        (func $start (global.set $n (i32.const 7)))
        (start $start)
        (func (export "f") (result i32) (global.get $n))""",
        ONE,
    )
    with Lane(text) as lane:
        assert call(lane.start(), "f") == 7


def test_a_start_function_that_spins_gives_way():
    spin = "(func $start (loop (br 0))) (start $start)"
    with Lane(
        component(f'{spin} (func (export "f") (result i32) (i32.const 1))', ONE)
    ) as lane:
        instance = CoreInstance(lane.code, None)
        assert polls(next(instance.start())) == 5
        instance.close()


TEXT = """(func (export "f") (param "x" string) (result string) (canon lift
  (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))
  (post-return (core func $i "p"))))"""


def talking(realloc="(i32.const 64)", function="(i32.const 8)", post=""):
    return component(
        f"""(memory (export "m") 1) (data (i32.const 8) "\\64\\00\\00\\00\\01\\00\\00\\00")
        (data (i32.const 100) "a")
        (func (export "r") (param i32 i32 i32 i32) (result i32) {realloc})
        (func (export "f") (param i32 i32) (result i32) {function})
        (func (export "p") (param i32) {post})""",
        TEXT,
    )


def test_a_text_goes_in_and_out():
    with Lane(talking()) as lane:
        assert call(lane.start(), "f", "x") == "a"


@pytest.mark.parametrize("where", ["realloc", "function", "post"])
def test_whatever_spins_gives_way_and_can_be_dropped(where):
    with Lane(talking(**{where: "(loop (br 0)) (unreachable)"})) as lane:
        instance = lane.start()
        instance.call("f", ["x"])
        assert polls(instance.poll) == 5
        instance.drop_call()
        assert instance.is_spent
        with pytest.raises(EngineMisused):
            instance.call("f", ["x"])


@pytest.mark.parametrize(
    ("parts", "rule"),
    [
        ({"realloc": "(i32.const -4)"}, Rule.REALLOC_IN_BOUNDS),
        ({"function": "(i32.const 9)"}, Rule.POINTER_ALIGNED),
        ({"function": "(i32.const 65536)"}, Rule.POINTER_IN_BOUNDS),
        (
            {"function": "(i32.store (i32.const 12) (i32.const -1)) (i32.const 8)"},
            Rule.LIST_NOT_TOO_LONG,
        ),
        (
            {"function": "(i32.store8 (i32.const 100) (i32.const 255)) (i32.const 8)"},
            Rule.STRING_WELL_FORMED,
        ),
    ],
)
def test_a_rule_that_a_guest_breaks_spends_it(parts, rule):
    with Lane(talking(**parts)) as lane:
        instance = lane.start()
        with pytest.raises(RuleBroken) as caught:
            call(instance, "f", "x")
        assert caught.value.rule is rule
        assert instance.is_spent


def test_memory_that_grows_during_a_call_is_seen():
    grows = "(drop (memory.grow (i32.const 3)))"
    grows += " (i32.store (i32.const 200000) (i32.const 100))"
    grows += " (i32.store (i32.const 200004) (i32.const 1)) (i32.const 200000)"
    with Lane(talking(function=grows)) as lane:
        assert call(lane.start(), "f", "x") == "a"


# -- host functions

ASKING = """(component
  (import "h" (func $h (param "x" u32) (result u32)))
  (core func $low (canon lower (func $h)))
  (core module $m (import "" "h" (func $h (param i32) (result i32)))
    (func (export "f") (result i32) (call $h (i32.const 5))))
  (core instance $i (instantiate $m (with "" (instance (export "h" (func $low))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


def test_an_instant_function_gets_the_context_of_its_instance():
    seen = []

    def act(context, number):
        seen.append((context, number))
        return number + 1

    with Lane(ASKING, {"h": act}) as lane:
        assert call(lane.start(), "f") == 6
        assert seen == [("the context", 5)]


@pytest.mark.parametrize("wrong", [-1, 2**32, None, "6"])
def test_an_answer_that_does_not_fit_spends_the_guest(wrong):
    with Lane(ASKING, {"h": lambda *_: wrong}) as lane:
        instance = lane.start()
        with pytest.raises(ValueUnfit, match="result"):
            call(instance, "f")
        assert instance.is_spent


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_a_host_function_raises_comes_out_of_the_poll(error):
    def act(*_):
        raise error

    with Lane(ASKING, {"h": act}) as lane:
        instance = lane.start()
        instance.call("f", ())
        with pytest.raises(type(error)) as caught:
            instance.poll()
        assert caught.value is error
        assert instance.is_spent


def test_a_guest_that_waits_is_not_polled_through():
    with Lane(ASKING) as lane:
        instance = lane.start()
        instance.call("f", ())
        assert not instance.poll()
        assert instance.arguments(100)[0] == (5,)
        with pytest.raises(EngineMisused):  # it would spin for a tick
            instance.poll()
        instance.answer(9)
        while not instance.poll():
            pass
        assert instance.result() == 9


def test_many_instances_wait_at_once():
    with Lane(ASKING) as lane:
        instances = [lane.start() for _ in range(20)]
        for instance in instances:
            instance.call("f", ())
            assert not instance.poll()
        for number, instance in enumerate(reversed(instances)):
            instance.answer(number)
            while not instance.poll():
                pass
            assert instance.result() == number


# -- resources

HOLDING = """(component
  (import "w" (instance $w
    (export "thing" (type $t (sub resource)))
    (export "get" (func (result (own $t))))
    (export "look" (func (param "x" (borrow $t)) (result u32)))
    (export "put" (func (param "x" (own $t))))))
  (alias export $w "thing" (type $t))
  (core func $get (canon lower (func $w "get")))
  (core func $look (canon lower (func $w "look")))
  (core func $put (canon lower (func $w "put")))
  (core func $drop (canon resource.drop $t))
  (core module $m
    (import "" "get" (func $get (result i32)))
    (import "" "look" (func $look (param i32) (result i32)))
    (import "" "put" (func $put (param i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "f") (result i32) {body}))
  (core instance $i (instantiate $m (with "" (instance
    (export "get" (func $get)) (export "look" (func $look))
    (export "put" (func $put)) (export "drop" (func $drop))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


@pytest.fixture
def things():
    given, seen = [], []
    return (
        given,
        seen,
        {
            "w#get": lambda _: given.append(object()) or given[-1],
            "w#look": lambda _, thing: seen.append(("look", thing)) or 3,
            "w#put": lambda _, thing: seen.append(("put", thing)),
        },
    )


def test_things_of_the_host_are_given_lent_and_given_back(things):
    given, seen, functions = things
    body = (
        "(local $h i32) (local.set $h (call $get)) (drop (call $look (local.get $h)))"
    )
    body += " (call $put (local.get $h)) (i32.const 1)"
    with Lane(HOLDING.format(body=body), functions) as lane:
        instance = lane.start()
        assert call(instance, "f") == 1
        assert seen == [("look", given[0]), ("put", given[0])]
        assert len(instance.things) == 0


def test_what_a_guest_drops_is_noted(things):
    given, _, functions = things
    with Lane(
        HOLDING.format(body="(call $drop (call $get)) (i32.const 1)"), functions
    ) as lane:
        instance = lane.start()
        call(instance, "f")
        [number] = instance.dropped
        assert instance.things.find(number) is given[0]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("(call $put (i32.const 1)) (i32.const 1)", Rule.HANDLE_KNOWN),
        ("(call $drop (i32.const -1)) (i32.const 1)", Rule.HANDLE_KNOWN),
        (
            """(local $h i32) (local.set $h (call $get)) (call $put (local.get $h))
            (call $look (local.get $h))""",
            Rule.HANDLE_KNOWN,
        ),
    ],
)
def test_handles_that_a_guest_does_not_have(things, body, rule):
    with Lane(HOLDING.format(body=body), things[2]) as lane:
        instance = lane.start()
        with pytest.raises(RuleBroken) as caught:
            call(instance, "f")
        assert caught.value.rule is rule


MAKING = """(component
  (type $t (resource (rep i32)))
  (core func $new (canon resource.new $t)) (core func $rep (canon resource.rep $t))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 42)))
    (func (export "value") (param i32) (result i32) (local.get 0))
    (func (export "take") (param i32) (result i32) (call $rep (local.get 0))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep))))))
  (export $t2 "thing" (type $t))
  (func (export "make") (result (own $t2)) (canon lift (core func $i "make")))
  (func (export "value") (param "x" (borrow $t2)) (result u32) (canon lift (core func $i "value")))
  (func (export "take") (param "x" (own $t2)) (result u32) (canon lift (core func $i "take"))))"""


def test_a_resource_of_a_guest_is_the_hosts_until_it_is_given_back():
    with Lane(MAKING) as lane:
        instance, other = lane.start(), lane.start()
        thing = call(instance, "make")
        assert isinstance(thing, GuestResource)
        assert call(instance, "value", thing) == 42
        with pytest.raises(ValueUnfit):
            call(other, "value", thing)
        assert call(instance, "take", thing) == 42
        with pytest.raises(ValueUnfit):
            call(instance, "value", thing)


# -- what this lane leaves to the other one


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            """(component (component $a (core module $m (func (export "f")))
              (core instance $i (instantiate $m))
              (func (export "f") (canon lift (core func $i "f"))))
            (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
            (instance $ai (instantiate $a))
            (instance (instantiate $b (with "f" (func $ai "f")))))""",
            "call each other",
        ),
        ('(component (import "f" (func $f)) (export "g" (func $f)))', "exported again"),
    ],
)
def test_what_it_does_not_run_is_named(text, what):
    plan = make_plan(parse(bytes(wat2wasm(text))))
    with pytest.raises(Unsupported, match=what):
        link(plan)


@functools.cache
def numbers_component():
    return echo_component(*Number)


def test_direct_calls_take_and_give_each_kind_of_number():
    names = {f"{HOST}#echo-{n}": lambda _, value: value for n in range(len(Number))}
    with Lane(numbers_component(), names) as lane:
        instance = lane.start()
        for n, number in enumerate(Number):
            for value in number.value[2:]:
                sent = bool(value) if number is Number.BOOL else value
                assert call(instance, f"run-{n}", sent) == sent


def test_the_configuration_of_a_guest_arrives():
    with guest("echo") as lane:
        config = config_value(__import__("airssys").ComponentConfig())
        assert call(lane.start(), f"{LIFECYCLE}#initialize", config).value is None


def test_what_was_given_away_for_a_call_that_does_not_begin_is_taken_back():
    two = MAKING.replace(
        '(func (export "take") (param "x" (own $t2))',
        '(func (export "both") (param "x" (own $t2)) (param "y" u8) (result u32)'
        ' (canon lift (core func $i "both")))'
        ' (func (export "take") (param "x" (own $t2))',
    ).replace(
        '(func (export "take") (param i32)',
        '(func (export "both") (param i32 i32) (result i32) (local.get 1))'
        ' (func (export "take") (param i32)',
    )
    with Lane(two) as lane:
        instance = lane.start()
        thing = call(instance, "make")
        with pytest.raises(ValueUnfit, match="is not a valid u8 @ y"):
            call(instance, "both", thing, 256)
        assert call(instance, "both", thing, 5) == 5
        with pytest.raises(ValueUnfit, match="given away"):
            call(instance, "take", thing)


def test_what_was_lent_for_a_call_that_does_not_begin_is_taken_back():
    text = """(component
      (import "w" (instance $w (export "thing" (type $t (sub resource)))))
      (alias export $w "thing" (type $t))
      (core func $drop (canon resource.drop $t))
      (core module $m (import "" "drop" (func $drop (param i32)))
        (func (export "f") (param i32 i32) (call $drop (local.get 0))))
      (core instance $i (instantiate $m (with "" (instance (export "drop" (func $drop))))))
      (func (export "f") (param "x" (borrow $t)) (param "y" u8) (canon lift (core func $i "f"))))"""
    with Lane(text) as lane:
        instance = lane.start()
        for _ in range(3):
            with pytest.raises(ValueUnfit):
                call(instance, "f", object(), 256)
            assert len(instance.things) == len(instance.states[0]) == 0
        assert call(instance, "f", object(), 255) is None
        assert len(instance.things) == len(instance.states[0]) == 0


MANY_GLOBALS = """(component
  (core module $a {globals}
    (func (export "sum") (result i32) {sum}))
  (core module $b {imports}
    (import "a" "sum" (func $sum (result i32)))
    (func (export "add") (param i32) (result i32) {add} (call $sum)))
  (core instance $ia (instantiate $a))
  (core instance $ib (instantiate $b (with "a" (instance $ia))))
  (func (export "add") (param "n" u32) (result u32) (canon lift (core func $ib "add"))))"""


def many_globals(count=20):
    numbers = range(count)
    return MANY_GLOBALS.format(
        globals=" ".join(
            f'(global $g{n} (export "g{n}") (mut i32) (i32.const 0))' for n in numbers
        ),
        sum="(i32.const 0)"
        + " ".join(f"(i32.add (global.get $g{n}))" for n in numbers),
        imports=" ".join(
            f'(import "a" "g{n}" (global $g{n} (mut i32)))' for n in numbers
        ),
        add=" ".join(
            f"(global.set $g{n} (i32.add (global.get $g{n}) (local.get 0)))"
            for n in numbers
        ),
    )


@pytest.mark.parametrize("count", [20, 3])
def test_global_variables_are_those_of_their_own_instance(count):
    """From the third instance on, many of them are not looked up."""
    with Lane(many_globals(count)) as lane:
        instances = [lane.start() for _ in range(3)]
        instances.pop(1).close()
        instances += [lane.start() for _ in range(3)]
        assert len(lane.code.looking_up._learned) == (count > 16)
        for number, instance in enumerate(instances, 1):
            assert call(instance, "add", number) == count * number
        for number, instance in enumerate(instances, 1):
            assert call(instance, "add", 1) == count * (number + 1)


def test_what_two_instances_do_not_have_in_common_is_always_looked_up():
    with Lane(many_globals()) as lane:
        lane.start()
        [number] = lane.code.looking_up._learning
        lane.code.looking_up._learning[number][0] = b"another one"
        instances = [lane.start() for _ in range(3)]
        assert not lane.code.looking_up._learned
        assert [call(each, "add", 1) for each in instances] == [20] * 3
