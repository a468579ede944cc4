"""Core modules become components that run, or an error says why not."""

import pytest
import wasmtime
from hypothesis import assume, given, settings, strategies as st
from wasmtime.component import Component

from airssys.building import CoreModuleUnfit, encode_component
from airssys.building.encoding._component_encoder import _number, _read_number
from airssys.building.encoding._flattening import core_type, flat
from airssys.building.encoding._wit_text import Name, Of
from airssys.contracts import (
    GuestRejected,
    HealthStatus,
    InvalidMessage,
    LogLevel,
    one_line,
)
from airssys.wasm import EXPORTS, IMPORTS
from wasm_support import ScriptedServices, envelope
from wat_guests import world as by_hand

from .core_modules import (
    HANDOVER,
    HOST,
    LIFECYCLE,
    STATE,
    WORLD,
    core_module,
    core_wat,
    state_wat,
)

ENGINE = wasmtime.Engine()
FEWER = settings(max_examples=settings.default.max_examples // 4)
"""For properties whose examples are compiled."""

# -- the text of the world


def test_the_text_has_what_the_runtime_has():
    assert {i: list(WORLD.interfaces[i].functions) for i in WORLD.imports} == {
        interface: list(functions) for interface, functions in IMPORTS.items()
    }
    (lifecycle,) = WORLD.exports
    assert list(WORLD.interfaces[lifecycle].functions) == list(EXPORTS)


def as_wat(core):
    params, results = " ".join(core.params), " ".join(core.results)
    parts = [f"(param {params})"] * bool(params) + [f"(result {results})"] * bool(
        results
    )
    return " ".join(parts)


@pytest.mark.parametrize(("interface", "name"), HOST)
def test_host_functions_are_flattened_as_by_hand(interface, name):
    function = WORLD.interfaces[interface].functions[name]
    found = core_type(WORLD, interface, function, is_import=True)
    assert as_wat(found) == by_hand.HOST_FUNCTIONS[f"{interface}.{name}"].core_type


@pytest.mark.parametrize(
    ("wit_type", "words"),
    [
        (Name("f32"), "f32"),
        (Of("tuple", (Name("u8"), Name("f64"), Name("string"))), "i32 f64 i32 i32"),
        (Of("option", (Name("u64"),)), "i32 i64"),
        (Of("result", (None, None)), "i32"),
        (Of("result", (Name("f32"), Name("u32"))), "i32 i32"),
        (Of("result", (Name("f32"), Name("u64"))), "i32 i64"),
        (Of("result", (Name("string"), Name("u64"))), "i32 i64 i32"),
        (Name("health-status"), "i32"),
        (Name("component-id"), "i32 i32 i32 i32 i32 i32"),
        (None, ""),
    ],
)
def test_types_are_flattened_as_the_canonical_abi_says(wit_type, words):
    assert flat(WORLD, "types", wit_type) == tuple(words.split())


# -- what runs


async def test_an_echo_without_imports(open_component):
    async with open_component(encode_component(core_module())) as guest:
        assert await guest.handle_message(envelope(b"hello")) == b"hello"
        await guest.handle_callback(envelope(b""))
        assert (await guest.metadata()).name == ""
        assert await guest.health() is HealthStatus.DEGRADED
        await guest.shutdown()


LOG = """(call $host-services.log (i32.const 3) (i32.const 256) (i32.const 4)
  (i32.const 1) (i32.const 272) (i32.const 1))
(i32.const 64)"""
LOG_DATA = """(data (i32.const 256) "textkeyvalue")
(data (i32.const 272) "\\04\\01\\00\\00\\03\\00\\00\\00\\07\\01\\00\\00\\05\\00\\00\\00")"""


async def test_log_with_its_context(open_component):
    services = ScriptedServices()
    core = core_module([("host-services", "log")], LOG_DATA, initialize=LOG)
    async with open_component(encode_component(core), services):
        ((level, text, context),) = services.called("log")
        assert (level, text) == (LogLevel.WARN, "text")
        assert dict(context) == {"key": "value"}


ASK = """\
(call $host-messaging.ask (i32.const 256) (i32.const 4) (i32.const 260) (i32.const 3)
  (i32.const 263) (i32.const 1)
  (i32.load offset=24 (local.get 0)) (i32.load offset=28 (local.get 0))
  (i64.const 1500) (i32.const 512))
;; result<list<u8>, messaging-error> at 512: its answer, or the case of its error
(if (i32.load8_u (i32.const 512)) (then
  (i32.store8 (i32.const 64) (i32.const 1))
  (i32.store8 offset=4 (i32.const 64) (i32.const 6))
  (i32.store offset=8 (i32.const 64) (i32.load (i32.const 520)))
  (i32.store offset=12 (i32.const 64) (i32.load (i32.const 524)))
  (return (i32.const 64))))
(i32.store8 offset=4 (i32.const 64) (i32.const 1))
(i32.store offset=8 (i32.const 64) (i32.load (i32.const 516)))
(i32.store offset=12 (i32.const 64) (i32.load (i32.const 520)))
(i32.const 64)"""
ASK_DATA = '(data (i32.const 256) "testbob0")'


async def test_ask_suspends_and_brings_the_answer(open_component):
    services = ScriptedServices(ask=b"from bob")
    core = core_module([("host-messaging", "ask")], ASK_DATA, handle_message=ASK)
    async with open_component(encode_component(core), services) as guest:
        assert await guest.handle_message(envelope(b"question")) == b"from bob"
    ((target, payload, seconds),) = services.called("ask")
    assert (str(target), payload, seconds) == ("test/bob/0", b"question", 1.5)


async def test_a_refusal_of_the_host_reaches_the_core_module(open_component):
    error = InvalidMessage("too long")
    services = ScriptedServices(ask=error)
    core = core_module([("host-messaging", "ask")], ASK_DATA, handle_message=ASK)
    async with open_component(encode_component(core), services) as guest:
        with pytest.raises(GuestRejected) as refusal:
            await guest.handle_message(envelope(b"question"))
    assert refusal.value.detail == str(error)


STORE = """\
(call $storage.set (i32.const 256) (i32.const 3)
  (i32.load offset=24 (local.get 0)) (i32.load offset=28 (local.get 0)) (i32.const 512))
(call $storage.get (i32.const 256) (i32.const 3) (i32.const 512))
;; result<option<list<u8>>, storage-error> is what handle-message returns
(if (i32.load8_u (i32.const 512)) (then unreachable))
(i32.const 512)"""


async def test_storage_set_and_get(open_component):
    services = ScriptedServices(storage_get=b"stored")
    core = core_module(
        [("storage", "get"), ("storage", "set")],
        '(data (i32.const 256) "key")',
        handle_message=STORE,
    )
    async with open_component(encode_component(core), services) as guest:
        assert await guest.handle_message(envelope(b"value")) == b"stored"
    assert services.called("storage_set") == [["key", b"value"]]
    assert services.called("storage_get") == [["key"]]


async def test_post_return_and_static_constructors_are_called(open_component):
    fields = f"""
      (global $calls (mut i32) (i32.const 0))
      (func $count (export "_initialize")
        (global.set $calls (i32.add (global.get $calls) (i32.const 1))))
      (func (export "cabi_post_{LIFECYCLE}shutdown") (param i32)
        (call $count))
      (func (export "cabi_post_{LIFECYCLE}health") (param i32) (call $count))"""
    core = core_module([], fields, health="(global.get $calls)")
    async with open_component(encode_component(core)) as guest:
        assert await guest.health() is HealthStatus.DEGRADED
        await guest.shutdown()
        assert await guest.health() is HealthStatus.UNKNOWN


@FEWER
@given(st.sets(st.sampled_from(HOST)))
def test_any_part_of_the_world_may_be_imported(imports):
    core = core_module(sorted(imports))
    component = encode_component(core)
    assert core in component
    assert Component(ENGINE, component)


async def test_the_whole_world_may_be_imported(open_component):
    component = encode_component(core_module(HOST))
    async with open_component(component) as guest:
        assert await guest.handle_message(envelope(b"x")) == b"x"


@given(st.integers(0, 2**32))
def test_numbers_are_written_as_they_are_read(value):
    written = _number(value)
    assert _read_number(written, 0) == (value, len(written))


# -- what does not


async def test_functions_that_hand_state_over_are_exported_if_they_are_there(
    open_component,
):
    component = encode_component(core_module(extra=state_wat()))
    async with open_component(component) as guest:
        assert guest.hands_over
        assert await guest.export_state() == b""
        await guest.import_state(b"kept")
        assert await guest.export_state() == b"kept"
        assert await guest.handle_message(envelope(b"echo")) == b"echo"
    async with open_component(encode_component(core_module())) as guest:
        assert not guest.hands_over


@pytest.mark.parametrize("name", STATE)
def test_one_of_them_alone_is_a_mistake(name):
    (other,) = STATE.keys() - {name}
    (found,) = problems(core_module(extra=state_wat([name])))
    assert found == f"it does not export the function {HANDOVER}{other}"


def problems(core):
    with pytest.raises(CoreModuleUnfit) as refusal:
        encode_component(core)
    text = str(refusal.value)
    assert all(one_line(problem) in text for problem in refusal.value.problems)
    return refusal.value.problems


def from_wat(text):
    return bytes(wasmtime.wat2wasm(text))


def test_every_export_that_is_missing_is_named():
    found = problems(from_wat("(module)"))
    names = [f"function {LIFECYCLE}{name}" for name in EXPORTS]
    names += ["function cabi_realloc", "memory called memory"]
    assert len(found) == len(names)
    assert all(any(name in one for one in found) for name in names)


@FEWER
@given(st.sets(st.sampled_from(sorted(EXPORTS)), min_size=1))
def test_exactly_what_is_missing_is_named(without):
    found = problems(core_module(without=without))
    assert sorted(one.rpartition("#")[2] for one in found) == sorted(without)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '(import "wasi_snapshot_preview1" "fd_write" (func))',
            ["fd_write", "cannot use WASI"],
        ),
        ('(import "env" "f" (func))', ["env#f", "host-messaging", "storage"]),
        ('(import "env" "m" (memory 1))', ["env#m", "must define its own"]),
        (
            '(import "airssys:core/storage@1.0.0" "drop" (func))',
            ["storage@1.0.0#drop", "does not have"],
        ),
        (
            '(import "airssys:core/storage@0.9.0" "get" (func))',
            ["storage@0.9.0#get", "airssys:core/storage@1.0.0"],
        ),
        (
            '(import "airssys:core/storage@1.0.0" "get" (func (param i64)))',
            ["(i64) -> nothing", "the world has (i32, i32, i32) -> nothing"],
        ),
        (
            '(import "airssys:core/storage@1.0.0" "get" (global i32))',
            ["as a Global", "the world has"],
        ),
    ],
)
def test_imports_that_do_not_fit_are_named(text, words):
    (found,) = problems(from_wat(core_wat().replace("(module", f"(module {text}", 1)))
    assert [word for word in words if word not in found] == []


def test_a_function_that_is_imported_twice_is_named():
    wat = core_wat([("host-services", "log")])
    line = next(ln for ln in wat.splitlines() if "(import" in ln)
    twice = wat.replace(line, line + line.replace("$host-services.log", "$again"))
    (found,) = problems(from_wat(twice))
    assert "host-services@1.0.0#log twice" in found


def test_exports_that_do_not_fit_are_named():
    name = f"{LIFECYCLE}health"
    wrong = f'(func (export "{name}") (result i64) (i64.const 0))'
    wrong += f'(func (export "cabi_post_{LIFECYCLE}metadata"))'
    wrong += '(func (export "_initialize") (param i32))'
    found = problems(core_module([], wrong, without=["health"]))
    post = f"cabi_post_{LIFECYCLE}metadata"
    assert found == (
        f"it exports {name} as () -> i64; the world has () -> i32",
        f"it exports {post} as () -> nothing; the world has (i32) -> nothing",
        "it exports _initialize as (i32) -> nothing; the world has () -> nothing",
    )


def test_a_large_memory_does_not_fit():
    text = core_wat(without=["memory", "cabi_realloc", "handle-message"])
    (*_, memory) = problems(
        from_wat(text.replace("(module", '(module (memory (export "memory") i64 1)', 1))
    )
    assert "64-bit" in memory


@given(st.binary(max_size=200))
def test_bytes_that_are_not_a_module_are_refused(junk):
    assume(not junk.startswith((b"\0asm\x01", b"\0asm\r")))
    assert problems(junk) == ("it is not a WebAssembly module",)
    (found,) = problems(b"\0asm\x01\0\0\0" + b"\xff" + junk)
    assert found.startswith("it is not valid: ")


def test_a_component_is_refused_as_what_it_is():
    component = encode_component(core_module())
    assert problems(component) == ("it is already a component",)


@given(st.data())
def test_a_module_that_is_cut_off_is_refused_or_whole(data):
    core = core_module(HOST[:3])
    size = data.draw(st.integers(0, len(core) - 1))
    try:
        component = encode_component(core[:size])
    except CoreModuleUnfit:
        return
    # Nothing is missing but the names of functions, which come last.
    assert Component(ENGINE, component)
    assert size > len(core) // 2
