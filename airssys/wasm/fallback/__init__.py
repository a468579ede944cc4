"""Components that run whole, by wasmtime's component API.

The theory. wasmtime takes and gives each value as a tree of its own structs, one for
every number, text and byte. So what is done here is to lay such trees out fast: for the
types of each function, straight code is generated that writes and reads them, in memory
that is kept from call to call. A call is a fiber, as on the other lane.

This is how the components are run that cannot be taken apart, and the other opinion that
`airssys.wasm.lane` is compared with. Nothing outside imports from here except the switch,
`airssys.wasm.instances._whole` (`tests/project/test_wasm_layout.py`).
"""

from ._component import adopt, export_index
from ._linker import make_linker
from ._result_slots import MAX_PARAMS
from ._store import Store
from .values import Marshaller, forget_rows

__all__ = (
    "MAX_PARAMS",
    "Marshaller",
    "Store",
    "adopt",
    "export_index",
    "forget_rows",
    "make_linker",
)
