"""Stock wasmtime-py: an instance of a core module, on a store of its own."""

from __future__ import annotations

from time import perf_counter

import wasmtime
from serving import serve

_MODULE = (
    '(module (memory (export "m") 1) (func (export "f") (result i32) (i32.const 0)))'
)


def spawn(count: int) -> float:
    """Make stores and instances of a module that is compiled."""
    engine = wasmtime.Engine()
    module, linker = wasmtime.Module(engine, _MODULE), wasmtime.Linker(engine)
    kept = []
    began = perf_counter()
    for _ in range(count):
        store = wasmtime.Store(engine)
        kept.append((store, linker.instantiate(store, module)))
    return perf_counter() - began


if __name__ == "__main__":
    serve("wasmtime", {"spawn-component": spawn})
