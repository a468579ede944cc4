"""Peers of a bare call: a core module by the C API, and Extism."""

from __future__ import annotations

import ctypes
import json
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeAlias

import wasmtime
from wasmtime import _ffi as ffi  # noqa: PLC2701  # the floor has no public name

from measuring.ratios import check_count

Act: TypeAlias = Callable[[], Awaitable[object]]
_CORE: Final = """(module
  (memory (export "memory") 64)
  (func (export "realloc") (param i32 i32) (result i32) (i32.const 1024))
  (func (export "echo") (param $from i32) (param $size i32) (result i32)
    (memory.copy (i32.const 2097152) (local.get $from) (local.get $size))
    (i32.const 2097152))
  (func (export "post-return") (param i32 i32) (result i32) (i32.const 0)))"""
"""It gives memory, is called, and learns that its answer was read."""
_EXTISM: Final = """(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (func (export "echo") (result i32) (local $size i64) (local $to i64) (local $at i64)
    (local.set $size (call $length))
    (local.set $to (call $alloc (local.get $size)))
    (block $over (loop $again
      (br_if $over (i64.ge_u (local.get $at) (local.get $size)))
      (call $store (i64.add (local.get $to) (local.get $at)) (call $load (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br $again)))
    (call $output (local.get $to) (local.get $size))
    (i32.const 0)))"""
"""It moves its input as Extism's development kits do: eight bytes at a time."""
_PEER: Final = Path(__file__).with_name("extism_peer.py")


def core_echo(size: int) -> Act:
    """Make calls of a core module that copies bytes, by the C API, and nothing else.

    It is not on a fiber, so nothing can interrupt it.
    """
    store = wasmtime.Store(wasmtime.Engine())
    module = wasmtime.Module(store.engine, _CORE)
    exports = wasmtime.Instance(store, module, []).exports(store)
    memory = exports["memory"]
    assert isinstance(memory, wasmtime.Memory)
    length, first = memory.data_len(store), memory.data_ptr(store).contents
    view = memoryview((ctypes.c_char * length).from_address(ctypes.addressof(first)))
    view = view.cast("B")
    realloc, echo, post_return = (
        _caller(store, exports[name]) for name in ("realloc", "echo", "post-return")
    )
    sent = bytes(size)

    async def act() -> None:
        at = realloc(0, size)
        view[at : at + size] = sent
        at = echo(at, size)
        check_count("bytes", len(view[at : at + size].tobytes()), size)
        post_return(at, size)

    return act


def _caller(store: wasmtime.Store, function: object) -> Callable[[int, int], int]:
    assert isinstance(function, wasmtime.Func)
    values, answered = (ffi.wasmtime_val_t * 2)(), ffi.wasmtime_val_t()
    trap = ctypes.POINTER(ffi.wasm_trap_t)()
    first, second = values
    first.kind = second.kind = ffi.WASMTIME_I32
    given = (
        ctypes.byref(function._func),  # noqa: SLF001  # the floor has no public name
        values,
        ctypes.c_size_t(2),
        ctypes.byref(answered),
        ctypes.c_size_t(1),
        ctypes.byref(trap),
    )
    call = ffi.dll.wasmtime_func_call
    one, two, result = first.of, second.of, answered.of

    def caller(left: int, right: int) -> int:
        one.i32, two.i32 = left, right
        call(store._context(), *given)  # noqa: SLF001  # as above
        number: int = result.i32
        return number

    return caller


def extism_echoes(python: str, sizes: list[int], rounds: int) -> dict[int, float]:
    """Time echoes of Extism, with the interpreter of the environment it is in.

    Raises:
        CalledProcessError: it is not there, or failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        guest = Path(directory, "echo.wasm")
        guest.write_bytes(wasmtime.wat2wasm(_EXTISM))
        command = [python, str(_PEER), str(guest), str(rounds), *map(str, sizes)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)["seconds"]
    return {int(size): value for size, value in found.items()}
