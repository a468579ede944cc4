"""Values between Python and the structs of wasmtime's component API.

The theory. Each value is a `wasmtime_component_val_t` of 24 bytes or more, and all but
numbers refer to further ones. For the types of each function, straight code is generated:
`_lowering` writes such structs into a frame that is kept from call to call, `_lists` fills
whole columns of a list with strided copies, and `_lifting` reads what wasmtime returns.
"""

from ._frame import Frame
from ._marshaller import Marshaller
from ._strings import forget_rows

__all__ = ("Frame", "Marshaller", "forget_rows")
