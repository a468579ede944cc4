"""Snapshots: taken between two calls, written over a fresh instance, as bytes.

Instances of this part are driven by hand, without Trio.
"""

import json

import attrs
import pytest
import wasmtime
from hypothesis import given, settings, strategies as st
from wasmtime import wat2wasm

from airssys.contracts import EngineSettings, SnapshotRefused
from airssys.testing import ManualTicks
from airssys.wasm.engine import Engine, HostResources
from airssys.wasm.lane.abi import RuleBroken
from airssys.wasm.lane.components import make_plan, parse
from airssys.wasm.lane.core import (
    CoreCode,
    CoreHost,
    CoreInstance,
    StateReader,
    StateWriter,
    _snapshots,
    compile_modules,
    link,
)
from airssys.wasm.lane.modules import Exposed, prepared
from airssys.wasm.lane.snapshots import PAGE, Snapshot, _snapshot

ENGINE = Engine(EngineSettings(), ManualTicks())
MOST = 2**24
FEW = settings(max_examples=max(10, settings.default.max_examples // 4))
MODULE = """
    (type $v (func (result i32)))
    (memory 2 40)
    (data (i32.const 100) "fresh")
    (data (i32.const 70000) "more")
    (global $g (mut i32) (i32.const 7))
    (global $wide (mut i64) (i64.const -1))
    (global $half (mut f32) (f32.const 0.5))
    (global $vector (mut v128) (v128.const i64x2 1 2))
    (global $fixed i32 (i32.const 3))
    (global $nothing (mut funcref) (ref.null func))
    (table $t 8 funcref)
    (func $one (type $v) (i32.const 1))
    (func $two (type $v) (i32.const 2))
    (elem (i32.const 0) $one $two)
    (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "set") (param i32 i32)
      (i32.store8 (local.get 0) (local.get 1)))
    (func (export "size") (result i32) (memory.size))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "g") (result i32) (global.get $g))
    (func (export "set-g") (param i32)
      (global.set $g (local.get 0))
      (global.set $wide (i64.extend_i32_s (local.get 0)))
      (global.set $vector (i64x2.splat (i64.const 9)))
      (global.set $half (f32.const 0.25)))
    (func (export "wide") (result i64) (global.get $wide))
    (func (export "vector") (result i64) (i64x2.extract_lane 1 (global.get $vector)))
    (func (export "call") (param i32) (result i32)
      (call_indirect (type $v) (local.get 0)))
    (func (export "swap")
      (table.set $t (i32.const 0) (ref.func $two))
      (table.set $t (i32.const 1) (ref.func $one)))
    (func (export "clear") (table.set $t (i32.const 1) (ref.null func)))
    (func (export "keep") (global.set $nothing (ref.func $one)))
    (func (export "grow-table") (drop (table.grow $t (ref.null func) (i32.const 1))))
"""
FUNCTIONS = {
    "get": '(param "a" u32) (result u32)',
    "set": '(param "a" u32) (param "b" u32)',
    "size": "(result u32)",
    "grow": '(param "a" u32) (result s32)',
    "g": "(result u32)",
    "set-g": '(param "a" u32)',
    "wide": "(result s64)",
    "vector": "(result s64)",
    "call": '(param "a" u32) (result u32)',
    "swap": "",
    "clear": "",
    "keep": "",
    "grow-table": "",
}


def component(module=MODULE, functions=FUNCTIONS):
    lifted = "\n".join(
        f'(func (export "{name}") {kind} (canon lift (core func $i "{name}")))'
        for name, kind in functions.items()
    )
    return f"""(component (core module $m {module})
        (core instance $i (instantiate $m)) {lifted})"""


class Program:
    def __init__(self, text=None):
        self.plan = make_plan(parse(bytes(wat2wasm(text or component()))))
        linking = link(self.plan)
        modules = compile_modules(ENGINE.wasmtime, linking.steps)
        self.code = CoreCode(ENGINE, self.plan, linking, modules, CoreHost({}))
        self.started = []
        fresh = self.start()
        self.fresh = run(StateReader(fresh).fresh_image())

    def start(self, **limits):
        instance = CoreInstance(self.code, None)
        if limits:
            instance.limit(*limits.values())
        for poll in instance.start():
            while not poll():
                pass
        self.started.append(instance)
        return instance

    def take(self, instance, most=MOST):
        return run(StateReader(instance).take(self.fresh, bytes(32), most))

    def put(self, snapshot, instance=None):
        instance = instance or self.start()
        run(StateWriter(instance, snapshot).put())
        return instance

    def close(self):
        while self.started:
            self.started.pop().close()
        self.code.close()


def run(pieces):
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def call(instance, name, *values):
    instance.call(name, values)
    while not instance.poll():
        pass
    return instance.result()


@pytest.fixture
def program():
    made = Program()
    yield made
    made.close()


def test_a_fresh_instance_differs_in_nothing(program):
    snapshot = program.take(program.start())
    assert snapshot.size == 0
    assert snapshot.globals == ()
    assert [each.fresh_size for each in snapshot.memories] == [2 * 65536]


def test_what_has_changed_comes_back_in_another_instance(program):
    first = program.start()
    call(first, "set", 100, 0)
    call(first, "set", 70000, 200)
    call(first, "set-g", 5)
    call(first, "grow", 3)
    call(first, "set", 4 * 65536, 9)
    snapshot = program.take(first)
    assert [len(each.content) for each in snapshot.memories] == [3 * PAGE]
    second = program.put(snapshot)
    for each in (first, second):
        assert call(each, "get", 100) == 0
        assert call(each, "get", 101) == ord("r")
        assert call(each, "get", 70000) == 200
        assert call(each, "get", 4 * 65536) == 9
        assert call(each, "size") == 5
        assert (call(each, "g"), call(each, "wide"), call(each, "vector")) == (5, 5, 9)
        assert call(each, "call", 1) == 2
    assert program.take(second) == snapshot


def test_a_page_that_became_zero_takes_no_room(program):
    first = program.start()
    for at in range(100, 105):
        call(first, "set", at, 0)
    snapshot = program.take(first)
    assert snapshot.size == 0
    assert snapshot.memories[0].zeroed == (0,)
    assert call(program.put(snapshot), "get", 102) == 0


@pytest.mark.parametrize("change", ["swap", "clear", "grow-table"])
def test_a_changed_table_of_functions_is_refused(program, change):
    instance = program.start()
    call(instance, change)
    with pytest.raises(SnapshotRefused, match="table of functions"):
        program.take(instance)
    assert call(instance, "g") == 7


def test_a_reference_in_a_global_is_refused(program):
    instance = program.start()
    call(instance, "keep")
    with pytest.raises(SnapshotRefused, match="reference"):
        program.take(instance)


def test_more_than_the_limit_is_refused(program):
    instance = program.start()
    for page in range(4):
        call(instance, "set", page * PAGE, 1)
    assert len(program.take(instance, 4 * PAGE).memories[0].content) == 4 * PAGE
    with pytest.raises(SnapshotRefused, match="snapshot_bytes"):
        program.take(instance, 4 * PAGE - 1)


def test_one_that_needs_more_memory_than_is_allowed_is_refused(program):
    instance = program.start()
    call(instance, "grow", 10)
    snapshot = program.take(instance)
    small = program.start(memory=4 * 65536, elements=100, memories=1, tables=1)
    with pytest.raises(SnapshotRefused, match="limits"):
        program.put(snapshot, small)


def test_nothing_is_taken_of_what_is_closed_or_spent(program):
    instance = program.start()
    call(instance, "grow", 38)  # so that it takes more than one piece
    reader = StateReader(instance).take(program.fresh, bytes(32), MOST)
    next(reader)
    instance.close()
    with pytest.raises(SnapshotRefused, match="closed"):
        run(reader)
    with pytest.raises(SnapshotRefused, match="closed"):
        program.take(instance)


def test_nothing_is_taken_in_the_middle_of_a_call(program):
    instance = program.start()
    instance.call("g", ())
    with pytest.raises(SnapshotRefused, match="middle of a call"):
        program.take(instance)


OTHERS = {
    "no state": component("", {}),
    "fewer globals": component(
        MODULE.partition("(func (export")[0].replace(
            "(global $vector (mut v128) (v128.const i64x2 1 2))", ""
        ),
        {},
    ),
    "a larger memory": component(MODULE.replace("(memory 2 40)", "(memory 3 40)")),
    "a larger table": component(MODULE.replace("(table $t 8", "(table $t 9")),
}


@pytest.mark.parametrize("text", OTHERS.values(), ids=OTHERS)
def test_a_snapshot_of_something_else_is_refused(program, text):
    instance = program.start()
    call(instance, "set-g", 1)
    snapshot = program.take(instance)
    other = Program(text)
    try:
        with pytest.raises(SnapshotRefused):
            other.put(snapshot)
    finally:
        other.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("set"),
            st.integers(0, 2 * 65536 - 1) | st.sampled_from([100, 4095, 4096, 70000]),
            st.integers(0, 255),
        ),
        st.tuples(st.just("set-g"), st.integers(0, 99)),
        st.tuples(st.just("grow"), st.integers(0, 2)),
        st.just(("snapshot",)),
        st.just(("restore",)),
    ),
    max_size=30,
)


@pytest.fixture(scope="module")
def shared_program():
    made = Program()
    yield made
    made.close()


class Model:
    """What an instance should have, beside one that has it."""

    def __init__(self, program):
        self.program, self.instance = program, program.start()
        self.memory, self.number = bytearray(2 * 65536), 7
        self.memory[100:105], self.memory[70000:70004] = b"fresh", b"more"
        self.snapshot()

    def change(self, name, *values):
        call(self.instance, name, *values)
        match name:
            case "set":
                self.memory[values[0]] = values[1]
            case "set-g":
                self.number = values[0]
            case "grow" if len(self.memory) + values[0] * 65536 <= 40 * 65536:
                self.memory += bytes(values[0] * 65536)

    def snapshot(self):
        self.saved = bytes(self.memory), self.number
        self.written = self.program.take(self.instance).to_bytes()

    def restore(self):
        self.close()
        self.memory, self.number = bytearray(self.saved[0]), self.saved[1]
        self.instance = self.program.put(Snapshot.from_bytes(self.written, MOST))

    def close(self):
        self.program.started.remove(self.instance)
        self.instance.close()

    def check(self, places):
        assert call(self.instance, "size") * 65536 == len(self.memory)
        assert call(self.instance, "g") == self.number
        for at in places:
            assert call(self.instance, "get", at) == self.memory[at]


@FEW
@given(STEPS)
def test_calls_snapshots_and_restores_agree_with_a_model(shared_program, steps):
    model = Model(shared_program)
    for step in steps:
        act = getattr(model, step[0], None)
        act() if act else model.change(*step)
    touched = {step[1] for step in steps if step[0] == "set"}
    model.check({0, 100, 104, 70003} | touched)
    model.close()


def some_snapshot(program):
    instance = program.start()
    call(instance, "set", 5, 1)
    call(instance, "set", 70001, 0)
    call(instance, "set-g", 8)
    return program.take(instance)


@pytest.mark.parametrize("deflate", [True, False])
def test_a_snapshot_is_the_same_after_it_was_written_down(program, deflate):
    snapshot = some_snapshot(program)
    assert Snapshot.from_bytes(snapshot.to_bytes(deflate=deflate), MOST) == snapshot


@given(st.data())
def test_damaged_bytes_are_refused_and_never_misread(shared_program, data):
    written = some_snapshot_once(shared_program).to_bytes(
        deflate=data.draw(st.booleans())
    )
    at = data.draw(st.integers(0, len(written) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "longer"]))
    match kind:
        case "flip":
            bit = 1 << data.draw(st.integers(0, 7))
            damaged = bytearray(written)
            damaged[at] ^= bit
        case "cut":
            damaged = written[:at]
        case _:
            damaged = written + data.draw(st.binary(min_size=1, max_size=9))
    with pytest.raises(SnapshotRefused):
        Snapshot.from_bytes(bytes(damaged), MOST)


KEPT = {}


def some_snapshot_once(program):
    if program not in KEPT:
        KEPT[program] = some_snapshot(program)
    return KEPT[program]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**33) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


def places_in(value, path=()):
    """All places in a piece of JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items if isinstance(value, (dict, list)) else ():
        if isinstance(each, (dict, list)):
            yield from places_in(each, (*path, key))
        else:
            yield (*path, key)


@given(st.data())
def test_a_body_with_a_right_checksum_may_say_anything(shared_program, data):
    snapshot = some_snapshot_once(shared_program)
    written = snapshot.to_bytes(deflate=False)
    line, _, pages = written[_snapshot._HEAD.size + 32 :].partition(b"\n")
    fields = json.loads(line)
    *above, last = data.draw(st.sampled_from(list(places_in(fields))[1:]))
    where = fields
    for key in above:
        where = where[key]
    where[last] = data.draw(JSON)
    body = json.dumps(fields).encode() + b"\n" + pages
    head = _snapshot._HEAD.pack(b"airssnap", 1, 0, bytes(32), len(body))
    instance = shared_program.start()
    try:
        read = Snapshot.from_bytes(head + _snapshot._checksum(head, body) + body, MOST)
        shared_program.put(read, instance)
    except SnapshotRefused:
        pass
    else:
        assert shared_program.take(instance).size <= MOST
    finally:
        shared_program.started.remove(instance)
        instance.close()


OWN_THINGS = """(component
    (type $thing (resource (rep i32)))
    (core func $new (canon resource.new $thing))
    (core func $rep (canon resource.rep $thing))
    (core func $drop (canon resource.drop $thing))
    (core module $m
      (import "own" "new" (func $new (param i32) (result i32)))
      (import "own" "rep" (func $rep (param i32) (result i32)))
      (import "own" "drop" (func $drop (param i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "rep") (param i32) (result i32) (call $rep (local.get 0)))
      (func (export "drop") (param i32) (call $drop (local.get 0))))
    (core instance $i (instantiate $m (with "own" (instance
      (export "new" (func $new)) (export "rep" (func $rep))
      (export "drop" (func $drop))))))
    (func (export "make") (param "a" u32) (result u32)
      (canon lift (core func $i "make")))
    (func (export "rep") (param "a" u32) (result u32)
      (canon lift (core func $i "rep")))
    (func (export "drop") (param "a" u32) (canon lift (core func $i "drop"))))"""


@pytest.fixture
def things():
    made = Program(OWN_THINGS)
    yield made
    made.close()


def test_handles_of_a_guest_keep_their_numbers(things):
    first = things.start()
    handles = [call(first, "make", number) for number in (70, 71, 72, 73)]
    for gone in (handles[1], handles[2]):
        call(first, "drop", gone)
    written = things.take(first).to_bytes()
    second = things.put(Snapshot.from_bytes(written, MOST))
    for each in (first, second):
        assert call(each, "rep", handles[0]) == 70
        assert call(each, "rep", handles[3]) == 73
        assert call(each, "make", 74) == handles[2]
        assert call(each, "make", 75) == handles[1]
        assert call(each, "make", 76) == 5
    third = things.put(Snapshot.from_bytes(written, MOST))
    with pytest.raises(RuleBroken):
        call(third, "rep", handles[1])


def test_a_handle_of_a_resource_that_is_not_known_is_refused(things, program):
    instance = things.start()
    call(instance, "make", 1)
    handles = things.take(instance).handles
    other = attrs.evolve(program.take(program.start()), handles=handles)
    with pytest.raises(SnapshotRefused, match="unknown resource"):
        program.put(other)


def test_a_resource_of_the_host_does_not_go_along(program):
    instance = program.start()
    instance.give_resources(HostResources({"file": None}))
    assert program.take(instance)
    instance.things._things[1] = ("file", object())
    with pytest.raises(SnapshotRefused, match="1 resources of the host"):
        program.take(instance)
    instance.things._things.clear()


def test_another_version_is_refused(program):
    written = bytearray(some_snapshot(program).to_bytes())
    written[8] = 2
    with pytest.raises(SnapshotRefused, match="version 2"):
        Snapshot.from_bytes(bytes(written), MOST)


def test_what_would_inflate_to_more_than_is_allowed_is_refused(program):
    instance = program.start()
    call(instance, "grow", 30)
    call(instance, "set", 3 * 65536, 1)
    written = program.take(instance).to_bytes()
    with pytest.raises(SnapshotRefused, match="more than 4095"):
        Snapshot.from_bytes(written, PAGE - 1)
    assert Snapshot.from_bytes(written, PAGE)


# ---------------------------------------------------- what core modules export


def exported(text):
    return prepared(bytes(wat2wasm(f"(module {text})")))


def test_a_module_without_state_and_functions_is_left_as_it_is():
    ready = exported("")
    assert ready.code == bytes(wat2wasm("(module)"))
    assert ready.start is None


def test_what_is_imported_comes_first_and_is_not_exported():
    ready = exported("""
        (import "a" "f" (func (param i32)))
        (import "a" "t" (table 1 funcref))
        (import "a" "m" (memory 1))
        (import "a" "g" (global (mut i64)))
        (table 2 externref) (memory 3 4)
        (global (mut i32) (i32.const 1)) (global f64 (f64.const 2))
        (global (mut f32) (f32.const 3)) (global (mut v128) (v128.const i64x2 1 2))
        (global (mut externref) (ref.null extern))
        (global (mut i32) (i32.add (i32.const 1) (i32.const 2)))
        (export "mine" (memory 1))
    """)
    assert ready.exposed == Exposed(
        "airssys",
        has_function=True,
        memories=(1,),
        tables=(1,),
        globals=(1, 3, 4, 5, 6),
    )
    made = wasmtime.Module(ENGINE.wasmtime, ready.code)
    names = {each.name for each in made.exports}
    assert {"mine", "airssys memory 1", "airssys global 6"} <= names


@pytest.mark.parametrize(
    "state",
    [
        "(memory i64 1)",
        "(memory 1 2 shared)",
        "(table 1 (ref null 0)) (type (func))",
        "(table 1 funcref (ref.null func))",
        "(type $s (struct)) (global (mut (ref null $s)) (ref.null $s))",
        "(global (mut i31ref) (ref.i31 (i32.const 1)))",
    ],
)
def test_state_of_a_kind_that_is_not_known_is_left_alone(state):
    assert exported(state).exposed is None


def test_tags_may_be_imported_too():
    assert exported('(import "a" "e" (tag)) (memory 1)').exposed.memories == (0,)


def test_names_never_clash():
    ready = exported('(memory (export "airssys memory 0") 1) (func) (start 0)')
    assert ready.start == "airssys' start function"
    assert ready.exposed.memory_names == ["airssys' memory 0"]
    assert wasmtime.Module(ENGINE.wasmtime, ready.code)


def test_an_instance_with_state_of_an_unknown_kind_is_not_saved():
    text = component('(memory i64 1) (func (export "f"))', {"f": ""})
    plan = make_plan(parse(bytes(wat2wasm(text))))
    assert [step.exposed for step in link(plan).steps].count(None) == 1


def test_more_handles_than_a_snapshot_holds_are_refused(things, monkeypatch):
    monkeypatch.setattr(_snapshots, "_MOST_HANDLES", 3)
    instance = things.start()
    for number in range(3):
        call(instance, "make", number)
    snapshot = things.take(instance)
    call(instance, "make", 3)
    with pytest.raises(SnapshotRefused, match="more than 3 handles"):
        things.take(instance)
    monkeypatch.setattr(_snapshots, "_MOST_HANDLES", 2)
    with pytest.raises(SnapshotRefused, match="more than 2 handles"):
        things.put(snapshot)
