"""Where in a store's own memory things lie that its calls read and write.

The memory is one block per store. wasmtime holds addresses into it while a future
lives, so it is made with the store and goes with it.
"""

from __future__ import annotations

from typing import Final

from . import _c_api as c

MAX_PARAMS: Final = 8
MAX_

def functions_at(params: int) -> int:
    """Where the functions of an instance lie, behind so many arguments."""
    return ARGUMENTS + params * c.VAL_SIZE


def slot_bytes(params: int, functions: int) -> int:
    """How much memory a store needs for calls of so many parameters and functions."""
    return functions_at(params) + functions * c.FUNC_SIZE


FUNCTIONS: Final = functions_at(MAX_PARAMS)
"""The functions of the lifecycle."""
