"""Tells wasmtime about the host functions, once for all components of an engine."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from . import _c_api as c
from ._wit_memory import Block, error_text
from ._world import full_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._engine import Engine
    from ._host_functions import HostFunction


def make_linker(engine: Engine, functions: Sequence[HostFunction]) -> int:
    """Make a linker that defines every host function under its number.

    The linker belongs to the engine's ledger. A component may import any part of it.
    """
    engine.check()
    linker: int = c.linker_new(engine.pointer)
    engine.ledger.linkers.add(linker)
    root = c.linker_root(linker)
    try:
        numbered = enumerate(functions)
        for interface, members in groupby(numbered, lambda pair: pair[1].interface):
            instance = _add_instance(root, full_name(interface).encode())
            try:
                for number, function in members:
                    _add_function(engine, instance, function.name.encode(), number)
            finally:
                c.linker_instance_delete(instance)
    finally:
        c.linker_instance_delete(root)
    return linker


def _add_instance(root: int, name: bytes) -> int:
    out = Block(8)
    _check(c.linker_instance_add_instance(root, name, len(name), out.base))
    return int.from_bytes(out.data, "little")


def _add_function(engine: Engine, instance: int, name: bytes, number: int) -> None:
    callback = engine.callbacks.host_call
    _check(
        c.linker_instance_add_func_async(
            instance, name, len(name), callback, number, None
        )
    )


def _check(error: int | None) -> None:
    if error:
        raise RuntimeError(f"wasmtime refused a host function: {error_text(error)}")
