"""The switch to components that run whole: only here is `airssys.wasm.fallback` imported.

To do without the fallback, remove its folder and this module. What then fails to import
is what asked for it: the loader, where a component cannot be taken apart, and instances
of components that were not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.wasm.fallback import (
    MAX_PARAMS,
    Marshaller,
    Store,
    adopt,
    export_index,
    forget_rows,
    make_linker,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airssys.wasm.engine import Engine, GuestStore
    from airssys.wasm.host import HostTable
    from airssys.wasm.values import CallValues, Function

    from ._runtime import Runtime

__all__ = (
    "adopt",
    "export_index",
    "forget_rows",
    "move_whole",
    "open_whole_store",
    "run_whole",
)


def move_whole(functions: Mapping[str, Function]) -> dict[str, CallValues]:
    """Generate the code that moves the values of functions."""
    return {name: Marshaller(each) for name, each in functions.items()}


def run_whole(runtime: Runtime, table: HostTable | None = None) -> Runtime:
    """Return the same runtime for components that run whole.

    Args:
        runtime: Any.
        table: What the component may call, if that is not the runtime's own table.
    """
    other = runtime.with_table((table or runtime.table).moved_by(Marshaller))
    signatures = {name: each.signature for name, each in runtime.marshallers.items()}
    other.marshallers = move_whole(signatures)
    other.linker = make_linker(runtime.engine, other.table)
    return other


def open_whole_store(
    engine: Engine, params: int, functions: int | None = None
) -> GuestStore:
    """Make a store for an instance.

    Args:
        engine: That of its component.
        params: The largest number of parameters of a function that it calls.
        functions: How many it exports; None: those of the world of actors.
    """
    params = max(params, MAX_PARAMS)
    if functions is None:
        return Store(engine, params=params)
    return Store(engine, params=params, functions=functions)
