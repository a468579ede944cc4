"""Compiled components as wasmtime has them, and the functions that they export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.wasm import _c_api as c

if TYPE_CHECKING:
    from wasmtime.component import Component as Compiled

    from airssys.wasm.engine import Engine


def adopt(engine: Engine, compiled: Compiled) -> int:
    """Give a component to the engine's ledger; returns its address, and closes `compiled`."""
    engine.check()
    pointer: int = c.component_clone(c.address_of(compiled.ptr()))
    engine.ledger.components.add(pointer)
    compiled.close()
    return pointer


def export_index(engine: Engine, component: int, full_name: str) -> int | None:
    """Look a function up, as `interface#name` or `name`; None if it is missing.

    The index belongs to the engine's ledger, and so does that of its interface.
    """
    index: int | None = None
    interface, _, name = full_name.rpartition("#")
    for each in filter(None, (interface, name)):
        encoded = each.encode()
        index = c.component_get_export_index(component, index, encoded, len(encoded))
        if not index:
            return None
        engine.ledger.indices.add(index)
    return index
