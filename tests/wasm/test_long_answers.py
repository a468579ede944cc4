"""Which answers of the host a worker thread lays out: those that take long, and no others."""

import pytest

from airssys.contracts import Artifact, EngineSettings
from airssys.wasm import HostInterface
from airssys.wasm.loading import load_any
from airssys.wasm.values import CHEAPER, Case, Err, Ok, Some, weight
from wasm_support import open_guests

MOST = EngineSettings().thread_payload_bytes
WAT = """(component
  (import "acme:files/disk@1.0.0" (instance $disk
    (export "bytes" (func (param "size" u32) (result (list u8))))
    (export "texts" (func (param "size" u32) (result (list string))))))
  (core module $memory
    (memory (export "memory") 64)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.const 1024)))
  (core instance $m (instantiate $memory))
  (core func $bytes (canon lower (func $disk "bytes")
    (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core func $texts (canon lower (func $disk "texts")
    (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
  (core module $main
    (import "disk" "bytes" (func $bytes (param i32 i32)))
    (import "disk" "texts" (func $texts (param i32 i32)))
    (func (export "bytes") (param i32)
      (call $bytes (local.get 0) (i32.const 0)))
    (func (export "texts") (param i32)
      (call $texts (local.get 0) (i32.const 0))))
  (core instance $i (instantiate $main (with "disk" (instance
    (export "bytes" (func $bytes)) (export "texts" (func $texts))))))
  (func (export "bytes") (param "size" u32) (canon lift (core func $i "bytes")))
  (func (export "texts") (param "size" u32) (canon lift (core func $i "texts"))))"""


def disk():
    functions = {
        "bytes": lambda _, size: bytes(size),
        "texts": lambda _, size: ["x" * 10] * (size // 42),
    }
    return HostInterface("acme:files/disk@1.0.0", functions)


@pytest.mark.parametrize(
    ("lane", "name", "size", "is_long"),
    [
        ("own", "bytes", 2 * MOST, False),
        ("own", "bytes", CHEAPER * MOST + CHEAPER, True),
        ("own", "texts", 2 * MOST, True),
        ("wasmtime", "bytes", MOST, False),
        ("wasmtime", "bytes", MOST + 1, True),
    ],
)
async def test_a_worker_lays_out_what_takes_long(
    monkeypatch, lane, name, size, is_long
):
    """On the own lane bytes are copied in one piece; texts are laid out one by one."""
    async with open_guests(lane=lane, tick=0.1) as guests:
        component = await load_any(guests.loader, Artifact.from_text(WAT), [disk()])
        assert (component.code.core is not None) == (lane == "own")
        instance = await component.instantiate()
        guests.started.append(instance)
        await instance.call(name, 0)
        works, original = [], guests.runtime.turns.in_worker

        async def noted(work):
            works.append(work)
            return await original(work)

        monkeypatch.setattr(guests.runtime.turns, "in_worker", noted)
        await instance.call(name, size)
        assert bool(works) == is_long


@pytest.mark.parametrize(
    ("value", "whole", "copied"),
    [
        (b"x" * 640, 640, 20),
        (bytearray(640), 640, 20),
        (Ok(b"x" * 640), 640, 20),
        (Some(Err(b"x" * 64)), 64, 2),
        (Case("data", b"x" * 64), 64, 2),
        ((b"x" * 640, False), 704, 84),
        ("x" * 640, 640, 640),
        (["x" * 10] * 100, 4200, 4200),
        ([], 0, 0),
        (7, 0, 0),
    ],
)
def test_bytes_weigh_less_where_they_are_copied(value, whole, copied):
    assert weight(value) == whole
    assert weight(value, CHEAPER) == copied
