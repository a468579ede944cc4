"""Where in a store's own memory things lie that its calls read and write.

The memory is one block per store. wasmtime holds addresses into it while a future
lives, so it is made with the store and goes with it.
"""

from __future__ import annotations

from typing import Final

from . import _c_api as c

MAX_PARAMS: Final = 8
MAX_FUNCTIONS: Final = 8

RESULT: Final = 0
"""The result of a call. First, so that the ledger can reset it without this table."""
ERROR: Final = RESULT + c.VAL_SIZE
INSTANCE: Final = ERROR + 8
ARGUMENTS: Final = INSTANCE + 16
"""The arguments of a host call, moved here by the callback."""
FUNCTIONS: Final = ARGUMENTS + MAX_PARAMS * c.VAL_SIZE
SLOT_BYTES: Final = FUNCTIONS + MAX_FUNCTIONS * c.FUNC_SIZE
