"""What an instance consists of beside memories and tables is within its limit too.

Globals, functions, segments and what connects components cost memory and the time of
making an instance, and a few bytes of a file can say that there are many.
"""

import pytest
import trio

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    GuestTrapped,
    Limits,
    TrapReason,
)
from airssys.wasm.artifacts._footprint import footprint
from airssys.wasm.loading._any_instance import load_any
from pace import PATIENCE
from wasm_support import process_memory, wrap_compilers

MIB = 1 << 20
MODULE = b"\0asm\x01\0\0\0"
COMPONENT = b"\0asm\x0d\0\x01\0"
GLOBAL = b"\x7e\x00\x42\x07\x0b"  # i64, never set again, 7
FUNCTION = b"\x01\x04\x01\x60\0\0\x03\x02\x01\0", b"\x0a\x04\x01\x02\0\x0b"


def leb(number):
    head, rest = number & 0x7F, number >> 7
    return bytes([head | 0x80]) + leb(rest) if rest else bytes([head])


def section(kind, content):
    return bytes([kind]) + leb(len(content)) + content


def component(module, instances):
    """A component that instantiates a core module that often."""
    content = b"\0\0\0" * instances  # each: instantiate, module 0, without arguments
    return COMPONENT + section(1, module) + section(2, leb(instances) + content)


def with_globals(number, instances):
    return component(MODULE + section(6, leb(number) + GLOBAL * number), instances)


def with_passive_elements(number, instances):
    types, code = FUNCTION
    elements = section(9, b"\x01\x01\0" + leb(number) + b"\0" * number)
    return component(MODULE + types + elements + code, instances)


def with_segments(number, instances):
    types, code = FUNCTION
    elements = section(9, leb(number) + b"\x01\0\x01\0" * number)
    return component(MODULE + types + elements + code, instances)


def with_data(size, instances):
    data = section(11, b"\x01\0\x41\0\x0b" + leb(size) + b"x" * size)
    pages = leb(size // 65536 + 1)
    memory = section(5, b"\x01\0" + pages)
    return component(MODULE + memory + data, instances)


def with_canonical_functions(number):
    """Types and `resource.drop` for each of them; no core instance at all."""
    types = section(7, leb(number) + b"\x3f\x7f\0" * number)
    drops = b"".join(b"\x03" + leb(index) for index in range(number))
    return COMPONENT + types + section(8, leb(number) + drops)


HUGE = {
    "globals": lambda: with_globals(990_000, 150),
    "elements": lambda: with_passive_elements(1_000_000, 150),
    "segments": lambda: with_segments(100_000, 150),
    "data": lambda: with_data(60 * MIB, 9_000),
}


@pytest.mark.parametrize("kind", HUGE)
async def test_what_takes_long_to_make_is_refused_before_it_is_compiled(
    guests, monkeypatch, kind
):
    wrap_compilers(monkeypatch, lambda _: None)
    artifact = Artifact.from_bytes(HUGE[kind](), label=kind)
    with pytest.raises(ComponentRefused, match=r"steps, for its globals") as caught:
        await load_any(guests.loader, artifact, ())
    assert "Instantiate its core modules fewer times" in caught.value.advice


LARGE = {
    "globals": lambda: with_globals(5_000, 20),
    "elements": lambda: with_passive_elements(5_000, 20),
    "segments": lambda: with_segments(2_000, 20),
    "resources": lambda: with_canonical_functions(50_000),
}


@pytest.mark.unmeasured
@pytest.mark.parametrize("kind", LARGE)
async def test_what_is_kept_beside_memories_counts_as_memory(guests, kind):
    code = LARGE[kind]()
    counted = footprint(code).instance_bytes
    artifact = Artifact.from_bytes(code, label=kind)
    made = await load_any(guests.loader, artifact, ())
    with pytest.raises(GuestTrapped, match=r"\(memory_bytes\)") as caught:
        await made.instantiate(Limits(memory_bytes=MIB))
    assert caught.value.reason is TrapReason.MEMORY_LIMIT
    assert caught.value.phase == "instantiate"
    guests.started.append(await made.instantiate(Limits(memory_bytes=counted)))
    before = process_memory()
    for _ in range(5):
        guests.started.append(await made.instantiate(Limits(memory_bytes=counted)))
    assert process_memory() - before < 5 * counted + MIB


async def test_it_leaves_less_for_the_memories(guests):
    module = (
        MODULE + section(5, b"\x01\0\x10") + section(6, leb(90_000) + GLOBAL * 90_000)
    )
    code = component(module, 1)
    made = await load_any(guests.loader, Artifact.from_bytes(code, label="both"), ())
    with pytest.raises(GuestTrapped) as caught:
        await made.instantiate(Limits(memory_bytes=5 * MIB // 2))
    assert caught.value.reason is TrapReason.MEMORY_LIMIT
    guests.started.append(await made.instantiate(Limits(memory_bytes=4 * MIB)))


@pytest.mark.parametrize(
    "code",
    [with_globals(90_000, 1), with_segments(9_000, 3), with_data(60 * MIB, 1)],
    ids=["globals", "segments", "data"],
)
async def test_a_worker_makes_what_takes_long(guests, monkeypatch, code):
    made = await load_any(guests.loader, Artifact.from_bytes(code, label="x"), ())
    threads = []
    in_worker = guests.runtime.turns.in_worker

    async def noted(work):
        threads.append(work)
        return await in_worker(work)

    monkeypatch.setattr(guests.runtime.turns, "in_worker", noted)
    guests.started.append(await made.instantiate(Limits()))
    assert threads


async def test_an_ordinary_guest_is_made_at_once(guests, monkeypatch):
    monkeypatch.setattr(guests.runtime.turns, "in_worker", None)
    with trio.fail_after(PATIENCE):
        await guests.make("echo", memory_bytes=65536)
