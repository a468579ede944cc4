"""Snapshots: taken between two calls, written over a fresh instance, as bytes.

Instances of this part are driven by hand, without Trio.
"""

import json

import pytest
from hypothesis import given, settings, strategies as st
from wasmtime import wat2wasm

from airssys.contracts import EngineSettings, SnapshotRefused
from airssys.testing import ManualTicks
from airssys.wasm.engine import Engine
from airssys.wasm.lane.components import make_plan, parse
from airssys.wasm.lane.core import (
    CoreCode,
    CoreHost,
    CoreInstance,
    StateReader,
    StateWriter,
    compile_modules,
    link,
)
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
        modules = compile_modules(ENGINE.wasmtime, linking)
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
