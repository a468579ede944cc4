"""Compares the types that a component declares for its functions with our table.

wasmtime accepts any signature for a function that the host defines, and passes values
of the types that the component declares. Our marshalling follows the table in `_world`
and does not check the kind of a value: with other types it would read memory at
addresses of the guest's choice. So the two are compared before anything runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.wasm.values import Unspeakable, read_function

if TYPE_CHECKING:
    from wasmtime.component import FuncType

    from airssys.wasm.values import Function


def fits(stated: FuncType, wanted: Function) -> bool:
    """Whether a function's parameters and result have the types that we marshal."""
    try:
        found = read_function(stated, {})
    except Unspeakable:
        return False
    kinds = [wit for _, wit in found.params], found.result
    return kinds == ([wit for _, wit in wanted.params], wanted.result)
