"""The layout of a store's own memory, which its calls read and write.

The memory is one block per store. wasmtime holds addresses into it while a future
exists, so it is allocated and freed with the store.
"""

from __future__ import annotations

from typing import Final

from airssys.wasm import _c_api as c

MAX_PARAMS: Final = 8
"""For functions of the world that actors use; a store may be made for more."""
MAX_FUNCTIONS: Final = 8

RESULT: Final = 0
"""The result of a call. First, so that the ledger can reset it without this table."""
ERROR: Final = RESULT + c.VAL_SIZE
INSTANCE: Final = ERROR + 8
ARGUMENTS: Final = INSTANCE + 16
"""The arguments of a host call, moved here by the callback."""


def functions_at(params: int) -> int:
    """Return where the functions of an instance are, after that many arguments."""
    return ARGUMENTS + params * c.VAL_SIZE


def slot_bytes(params: int, functions: int) -> int:
    """Return the memory a store needs for that many parameters and functions."""
    return functions_at(params) + functions * c.FUNC_SIZE


FUNCTIONS: Final = functions_at(MAX_PARAMS)
"""The functions of an actor's component."""
