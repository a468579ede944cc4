"""Values reach a guest through adapters whole, and what `realloc` gets wrong is named.

The guests here are core modules: a memory, a `realloc`, and a function that passes on
what it was called with, so that it can be read from the guest's memory again.
"""

import ctypes

import pytest
import wasmtime
from hypothesis import given, settings, strategies as st
from wasmtime import _ffi as ffi

from airssys.wasm.lane.abi import Context, ExportSignature, ImportSignature, layout
from airssys.wasm.lane.abi._lowering import imager, storer
from airssys.wasm.lane.adapters import (
    ANSWERED,
    ANSWERED_NOW,
    BROKEN,
    BROKEN_ALIGNMENT,
    BROKEN_BOUNDS,
    IMAGE,
    LARGE,
    MAY_LEAVE,
    PAGES,
    SCRATCH,
    SLOT,
    AdapterModule,
    ExportNeeds,
    Image,
    has_pointers,
    shim_module,
)
from airssys.wasm.lane.components import Encoding
from airssys.wasm.values._types import (
    BYTES,
    STRING,
    Function,
    List,
    Number,
    Option,
    Result,
    Tuple,
    function,
    record,
    variant,
)
from wasm_support import TYPED_VALUES, same

FEW = settings(max_examples=max(10, settings.default.max_examples // 4))
ENOUGH = 2**40
CONFIG = wasmtime.Config()
CONFIG.shared_memory = True
ENGINE = wasmtime.Engine(CONFIG)
AT = 3 * 4096
"""Where in the scratch memory the part of the instance begins."""
SPARE = 24
"""Bytes that are left in it besides a value itself: what needs more is put elsewhere."""
GUEST = """(module
  (import "host" "got" (func $got (param {params})))
  (memory (export "memory") 1)
  (global $top (mut i32) (i32.const 8))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $p i32)
    (local.set $p (i32.and
      (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
      (i32.sub (i32.const 0) (local.get 2))))
    (global.set $top (i32.add (local.get $p) (local.get 3)))
    (block $e (loop $l
      (br_if $e (i32.le_u (global.get $top) (i32.shl (memory.size) (i32.const 16))))
      (drop (memory.grow (i32.const 1))) (br $l)))
    {realloc})
  (func (export "f") (param {params}) {gets} (call $got)))"""


class Numbers:
    """Handles that are what they stand for."""

    def lower_own(self, thing, _resource):
        return thing

    lift_own = lower_borrow = lift_borrow = lower_own


class View(Context):
    """A memory of a core instance, as it is at this moment."""

    def __init__(self, memory, store, encoding):
        super().__init__(encoding, Numbers())
        self.left = ENOUGH
        self.view = view_of(memory, store)

    def allocate(self, alignment, size):
        raise NotImplementedError


def view_of(memory, store):
    size = memory.data_len(store)
    pointer = ctypes.addressof(memory.data_ptr(store).contents)
    return memoryview((ctypes.c_char * size).from_address(pointer)).cast("B")


class Shared(wasmtime.SharedMemory):
    """wasmtime-py cannot pass one on."""

    def _as_extern(self):
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


class Stage:
    """A guest, the shim, and the host's callbacks, without an engine room around."""

    def __init__(self, params=(), encoding=Encoding.UTF8, realloc="(local.get $p)"):
        self.store, self.encoding = wasmtime.Store(ENGINE), encoding
        kind = wasmtime.MemoryType(wasmtime.Limits(*PAGES), shared=True)
        self.scratch = Shared(ENGINE, kind)
        self.seen, self.leaves = [], []
        text = GUEST.format(
            params=" ".join(params),
            gets=" ".join(f"(local.get {n})" for n in range(len(params))),
            realloc=realloc,
        )
        got = self.host(self.got, params)
        self.guest = self.instance(wasmtime.wat2wasm(text), {("host", "got"): got})
        self.memory = self.guest["memory"]
        self.callbacks = {"fill": self.host(self.fill, ["i32"] * 3)}
        self.callbacks["take"] = self.host(self.take, ["i32"])

    def host(self, act, params, results=()):
        kinds = [
            [getattr(wasmtime.ValType, core)() for core in side]
            for side in (params, results)
        ]
        return wasmtime.Func(self.store, wasmtime.FuncType(*kinds), act)

    def got(self, *cores):
        self.seen.append(cores)
        self.leaves.append(self.scratch_view()[MAY_LEAVE])

    def take(self, place):
        self.seen.append((unsigned(place),))

    def fill(self, place, pointer, size):
        data = self.image.large(unsigned(pointer))
        assert len(data) == size
        view_of(self.memory, self.store)[place : place + size] = data

    def instance(self, binary, items):
        module = wasmtime.Module(ENGINE, binary)
        given = [items[one.module, one.name] for one in module.imports]
        found = wasmtime.Instance(self.store, module, given)
        return found.exports(self.store)

    def start(self, pausing=(), callbacks=None):
        """Make the shim, with these callbacks besides."""
        kinds = {"fill": (("i32",) * 3, ()), "take": (("i32",), ())}
        for name, (kind, func) in (callbacks or {}).items():
            kinds[name], self.callbacks[name] = kind, func
        given = {("host", name): func for name, func in self.callbacks.items()}
        given["host", SCRATCH] = self.scratch
        self.shim = self.instance(shim_module(dict(pausing), kinds), given)
        self.shim[SLOT].set_value(self.store, AT)
        self.image, self.top = Image(self.encoding, Numbers(), self.more), 1 << 16

    def whole(self):
        data = self.scratch.data_ptr()
        size = self.scratch.data_len()
        pointer = ctypes.addressof(data.contents)
        return memoryview((ctypes.c_char * size).from_address(pointer)).cast("B")

    def scratch_view(self):
        return self.whole()[AT:]

    def more(self, size):
        at, self.top = self.top, self.top + size + 4096 & -16
        return self.whole(), at, at + size

    def adapter(self, module, core=()):
        items = {("guest", name): self.guest[name] for name in ("memory", "realloc")}
        items |= {("shim", name): self.shim[name] for name in self.callbacks}
        items |= {("shim", name): self.shim[name] for name in (SLOT, "pause")}
        items["host", SCRATCH] = self.scratch
        items |= core or {("core", "f"): self.guest["f"]}
        assert set(module.wanted()) <= set(items)
        return self.instance(module.binary(), items)

    def lay_out(self, wit, value):
        """Write the image of a value."""
        size, alignment = layout(wit)
        self.image.begin(self.whole(), AT, AT + IMAGE + size + SPARE)
        at = self.image.allocate(alignment, size)
        assert at == AT + IMAGE
        store = imager(wit) if self.image.joins else None
        (store or storer(wit))(self.image, at, value)

    def context(self):
        return View(self.memory, self.store, self.encoding)


def unsigned(core, kind="i32"):
    """Give a number as the lane has it: wasmtime-py says -1 where all bits are set."""
    sizes = {"i32": 2**32, "i64": 2**64}
    return core % sizes[kind] if kind in sizes else core


def call_through_adapter(typed, encoding=Encoding.UTF8):
    """Call a guest with values; returns what it finds in its memory."""
    params = tuple((f"p{number}", wit) for number, (wit, _) in enumerate(typed))
    signature = Function(params, None)
    stage = Stage(ExportSignature(signature).core_parameters, encoding)
    stage.start()
    module = AdapterModule(encoding, has_realloc=True)
    module.add_export("f", ExportNeeds(signature, has_post_return=False))
    adapter = stage.adapter(module)
    values = tuple(value for _, value in typed)
    stage.lay_out(Tuple(tuple(wit for wit, _ in typed)), values)
    adapter["f"](stage.store)
    assert stage.leaves == [1]
    [cores] = stage.seen
    kinds = ExportSignature(signature).core_parameters
    cores = tuple(map(unsigned, cores, kinds))
    return ImportSignature(signature).lift_parameters(stage.context(), cores)


@FEW
@given(st.lists(TYPED_VALUES, min_size=1, max_size=6))
def test_any_parameters_reach_a_guest(typed):
    found = call_through_adapter(typed)
    assert same(tuple(found), tuple(value for _, value in typed))


@FEW
@given(TYPED_VALUES, st.sampled_from(Encoding))
def test_any_parameter_reaches_a_guest_in_its_encoding(typed, encoding):
    found = call_through_adapter([typed], encoding)
    assert same(tuple(found), (typed[1],))


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("size", [LARGE - 1, LARGE, 3 * LARGE, 300_000])
def test_large_values_go_where_they_belong(encoding, size):
    typed = [
        (record(a=STRING, b=List(BYTES)), ("é" * size, [b"x" * size, b"", b"y"])),
        (Option(List(Number.U64)), list(range(size // 8))),
        (STRING, "x" * size),
    ]
    found = call_through_adapter(typed, encoding)
    assert found[0] == ("é" * size, (b"x" * size, b"", b"y"))
    assert found[1] == tuple(range(size // 8))
    assert found[2] == "x" * size


@FEW
@given(TYPED_VALUES)
def test_any_result_of_the_host_reaches_a_guest(typed):
    wit, value = typed
    signature = ImportSignature(Function((), wit))
    if not signature.is_given_place:
        return
    stage = Stage()

    def begin(_place):
        stage.scratch_view()[ANSWERED] = ANSWERED_NOW

    kind = (("i32",), ())
    stage.start({}, {"h": (kind, stage.host(begin, *kind))})
    module = AdapterModule(Encoding.UTF8, has_realloc=True)
    module.add_import("h", Function((), wit))
    size, alignment = layout(wit)
    place = unsigned(stage.guest["realloc"](stage.store, 0, 0, alignment, size))
    adapter = stage.adapter(module)
    stage.lay_out(wit, value)
    adapter["h"](stage.store, place)
    lifted = ExportSignature(Function((), wit)).lift_result(stage.context(), (place,))
    assert same(lifted, value)
    assert stage.scratch_view()[MAY_LEAVE] == 1


def test_a_guest_that_waited_gets_the_answer():
    """Without epochs a pause is over at once, so the answer has to be there already."""
    stage, begun = Stage(), []

    def begin(number):
        begun.append(number)
        stage.lay_out(Number.U64, 2**63 + 1)
        stage.scratch_view()[ANSWERED] = ANSWERED_NOW

    wait, kind = function(a=Number.U32, to=Number.U64), (("i32",), ())
    stage.start({"h": wait}, {"h": (kind, stage.host(begin, *kind))})
    assert unsigned(stage.shim["h"](stage.store, 7), "i64") == 2**63 + 1
    assert begun == [7]


@pytest.mark.parametrize("to", [Number.U64, STRING])
def test_a_call_of_the_host_that_has_not_even_begun_traps(to):
    """What stands in the scratch memory is the answer to some other call."""
    stage, lost = Stage(), Function((), to)
    signature = ImportSignature(lost)
    kind = signature.core_parameters, ()
    named = {} if signature.is_given_place else {"h": lost}
    stage.start(named, {"h": (kind, stage.host(lambda *_: None, *kind))})
    stage.scratch_view()[ANSWERED] = ANSWERED_NOW
    caller = stage.shim
    if not named:
        module = AdapterModule(Encoding.UTF8, has_realloc=True)
        module.add_import("h", lost)
        caller = stage.adapter(module)
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        caller["h"](stage.store, *([64] if signature.is_given_place else []))


@pytest.mark.parametrize(
    ("realloc", "rule"),
    [
        ("(i32.add (local.get $p) (i32.const 1))", BROKEN_ALIGNMENT),
        ("(i32.const 1)", BROKEN_ALIGNMENT),
        (
            "(i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4))",
            BROKEN_BOUNDS,
        ),
        ("(i32.const -8)", BROKEN_BOUNDS),
        ("(i32.shl (memory.size) (i32.const 16))", BROKEN_BOUNDS),
    ],
)
@pytest.mark.parametrize("size", [10, LARGE])
def test_what_realloc_gets_wrong_is_named(realloc, rule, size):
    """No byte is written: neither by the adapter nor, for large values, by the host."""
    signature = function(a=List(Number.U32))
    stage = Stage(("i32", "i32"), realloc=realloc)
    stage.start()
    module = AdapterModule(Encoding.UTF8, has_realloc=True)
    module.add_export("f", ExportNeeds(signature, has_post_return=False))
    adapter = stage.adapter(module)
    stage.lay_out(Tuple((List(Number.U32),)), ([1] * size,))
    before = view_of(stage.memory, stage.store).tobytes()
    with pytest.raises(wasmtime.Trap, match="unreachable"):
        adapter["f"](stage.store)
    assert stage.scratch_view()[BROKEN] == rule
    assert stage.scratch_view()[MAY_LEAVE] == 0
    assert view_of(stage.memory, stage.store)[: len(before)].tobytes() == before
    assert stage.seen == []


RETURNING = """(module (import "host" "mark" (func $mark (param i32)))
  (memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "f") (result i32) (call $mark (i32.const 1)) (i32.const 64))
  (func (export "p") (param i32) (call $mark (local.get 0))))"""


@pytest.mark.parametrize("result", [STRING, Number.U32])
def test_the_host_takes_the_result_before_post_return(result):
    stage, order = Stage(), []

    def mark(number):
        order.append((number, stage.scratch_view()[MAY_LEAVE]))

    def take(place):
        order.append(("take", place))

    given = {("host", "mark"): stage.host(mark, ["i32"])}
    stage.guest = stage.instance(wasmtime.wat2wasm(RETURNING), given)
    stage.callbacks["take"] = stage.host(take, ["i32"])
    stage.start()
    module = AdapterModule(Encoding.UTF8, has_realloc=True)
    module.add_export("f", ExportNeeds(Function((), result), has_post_return=True))
    core = {("core", "f"): stage.guest["f"], ("post", "f"): stage.guest["p"]}
    returned = stage.adapter(module, core)["f"](stage.store)
    taken = [("take", 64)] if result is STRING else []
    assert order == [(1, 1), *taken, (64, 0)]
    assert returned == (None if result is STRING else 64)
    assert stage.scratch_view()[MAY_LEAVE] == 1


@pytest.mark.parametrize(
    ("needs", "is_direct"),
    [
        (function(a=Number.U32, to=Number.U64), True),
        (function(a=Result(None, Number.U8)), True),
        (function(), True),
        (function(a=STRING), False),
        (function(to=STRING), False),
        (function(to=Option(Number.U8)), False),
        (Function(tuple((f"p{n}", Number.U8) for n in range(17)), None), False),
    ],
)
def test_what_can_be_called_as_it_is(needs, is_direct):
    assert ExportNeeds(needs, has_post_return=False).is_direct is is_direct
    assert not ExportNeeds(needs, has_post_return=True).is_direct


@pytest.mark.parametrize(
    ("wit", "there"),
    [
        (STRING, True),
        (variant(a=Number.U8, b=BYTES), True),
        (record(a=Option(List(Number.U8))), True),
        (record(a=Option(Number.U8)), False),
    ],
)
def test_what_has_pointers(wit, there):
    assert has_pointers(wit) is there
