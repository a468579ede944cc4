"""Which lane a component runs on, which cannot be seen from what it does.

All tests of this folder run on either lane (`--lane own`); these run on both at once.
"""

import gc

import pytest
from wasmtime import wat2wasm

from airssys.contracts import (
    Artifact,
    CapacityReached,
    ComponentRefused,
    EngineSettings,
    GuestTrapped,
    TrapReason,
)
from airssys.wasm import load_any
from airssys.wasm.engine import Engine, _engine
from airssys.wasm.lane.components import skeleton
from airssys.wasm.lane.core import CoreParts, _parts, compile_parts, take_apart
from wasm_support import GUESTS, envelope, is_spent_because, open_guests

LANES = ["own", "wasmtime"]
COMPOSED = """(component (component $a (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func (export "f") (canon lift (core func $i "f"))))
  (component $b (import "f" (func $f)) (core func (canon lower (func $f))))
  (instance $ai (instantiate $a))
  (instance (instantiate $b (with "f" (func $ai "f"))))"""


@pytest.fixture(params=LANES)
async def lane(request):
    async with open_guests(lane=request.param) as guests:
        yield guests


async def test_the_setting_says_how_a_component_is_run():
    for lane in LANES:
        async with open_guests(lane=lane) as guests:
            component = await guests.component("echo")
            assert (component.code.core is not None) == (lane == "own")
            assert component.code.why_whole is None


async def test_what_cannot_be_taken_apart_runs_whole_and_says_why():
    text = (GUESTS / "echo.wat").read_text()
    assert text.startswith(";;")
    composed = text.replace("(component", COMPOSED, 1)
    async with open_guests(lane="own") as guests:
        component = await guests.loader.load(Artifact.from_text(composed))
        assert component.code.core is None
        assert "call each other" in component.code.why_whole


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    "section",
    [b"", b"\x05ab", b"\x01\xff", b"\x80", b"\xff\xff\xff\xff\xff\xff"],
    ids=["no-name", "name-too-long", "not-utf8", "no-number", "long-number"],
)
async def test_a_custom_section_without_a_valid_name_is_refused(lane, section):
    head = b"\0asm\x0d\0\x01\0\0"
    code = head + bytes([len(section)]) + section
    async with open_guests(lane=lane) as guests:
        with pytest.raises(ComponentRefused):
            await load_any(guests.loader, Artifact.from_bytes(code, label="x"))


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    "text",
    [
        "(core module (func i32.add))",
        "(core module $m (func $f (param i32)) (start $f)) (core instance (instantiate $m))",
        """(core module $m (func $f (result i32) (i32.const 1)) (start $f))
        (core instance (instantiate $m))""",
    ],
    ids=["never-instantiated", "start-takes", "start-returns"],
)
async def test_core_modules_that_are_not_valid_are_refused(lane, text):
    async with open_guests(lane=lane) as guests:
        with pytest.raises(ComponentRefused, match="wasmtime refuses it"):
            await load_any(guests.loader, Artifact.from_text(f"(component {text})"))


@pytest.mark.parametrize("size", [0, 64, 16 * 1024, 100_000, 1 << 20])
async def test_messages_of_any_size_are_answered(lane, size):
    guest = await lane.start("echo")
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    for _ in range(3):
        assert await guest.handle_message(envelope(payload)) == payload


async def test_a_spent_instance_is_not_entered_again(lane):
    guest = await lane.start("trap-unreachable")
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope())
    assert caught.value.reason is TrapReason.UNREACHABLE
    assert await is_spent_because(guest, caught.value)


async def test_a_store_that_was_not_closed_is_closed_when_it_is_found(lane):
    await lane.start("echo")
    stores = len(lane.runtime.engine.ledger.stores)
    with pytest.warns(ResourceWarning, match="guest store was not closed"):
        lose(lane.started)
    assert len(lane.runtime.engine.ledger.stores) == stores - 1


def lose(guests):
    guests.clear()
    gc.collect()


async def test_an_instance_needs_the_maps_that_are_counted_for_it(lane):
    component = await lane.component("echo")
    other = "own" if component.code.core is None else "wasmtime"
    async with open_guests(lane=other) as guests:
        there = (await guests.component("echo")).code
    own, whole = (there, component.code) if other == "own" else (component.code, there)
    assert (
        own.maps == whole.maps
    )  # instances share the memory that values are laid out in


@pytest.mark.parametrize("name", ["echo", "sleep", "trap-unreachable-start"])
def test_parts_that_were_written_down_are_the_same_when_they_are_read(name):
    engine = Engine(EngineSettings())
    try:
        code = bytes(wat2wasm((GUESTS / f"{name}.wat").read_text()))
        plan, linking = take_apart(code)
        parts = compile_parts(engine.wasmtime, plan, linking, skeleton(code))
        read = CoreParts.deserialize(engine.wasmtime, parts.serialize())
        assert read.plan == parts.plan
        assert read.linking == parts.linking
        assert len(read.modules) == len(parts.modules)
        assert read.serialize() == parts.serialize()
    finally:
        engine.close()


@pytest.mark.parametrize("damage", [b"", b"{}\n", b'{"skeleton": 1}\n', b"x"])
def test_parts_of_another_version_are_refused(damage):
    engine = Engine(EngineSettings())
    try:
        with pytest.raises(ValueError):  # noqa: PT011  # JSON's own is one
            CoreParts.deserialize(engine.wasmtime, damage)
    finally:
        engine.close()


async def test_the_second_start_reads_what_the_first_has_compiled(
    tmp_path, monkeypatch
):
    for is_first in (True, False):
        if not is_first:
            monkeypatch.setattr(_parts, "compile_parts", None)
        async with open_guests(tmp_path / "cache", lane="own") as guests:
            guest = await guests.start("echo")
            assert guest._code.core is not None
            assert await guest.handle_message(envelope(b"x")) == b"x"


async def test_a_lane_finds_nothing_of_the_other_one(tmp_path):
    for lane in (*LANES, *LANES):
        async with open_guests(tmp_path / "cache", lane=lane) as guests:
            component = await guests.component("echo")
            assert (component.code.core is not None) == (lane == "own")


@pytest.mark.parametrize("lane", LANES)
async def test_a_pool_holds_that_many_instances_and_refuses_the_next_one(lane):
    async with open_guests(lane=lane, pooled_instances=2) as guests:
        kept, closed = await guests.many(2, "echo")
        with pytest.raises(CapacityReached, match="all 2 instances of the pool"):
            await guests.make("echo")
        closed.close()
        other = await guests.start("echo")
        for guest in (kept, other):
            assert await guest.handle_message(envelope(b"x")) == b"x"


@pytest.mark.parametrize("lane", LANES)
async def test_what_a_pool_has_no_memories_for_is_refused_as_capacity(lane):
    async with open_guests(lane=lane, pooled_instances=1) as guests:
        with pytest.raises(CapacityReached, match="pooled_instances"):
            await guests.make("memory-hog-twenty")
        guest = await guests.start("echo")
        assert await guest.handle_message(envelope(b"x")) == b"x"


def test_a_pool_beyond_the_address_space_is_refused(monkeypatch):
    monkeypatch.setattr(_engine, "_RESERVED", 1 << 48)
    with pytest.raises(CapacityReached, match="lower EngineSettings"):
        Engine(EngineSettings(pooled_instances=4096))
