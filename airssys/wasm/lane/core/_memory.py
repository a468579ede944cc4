"""The one place where memory is reached by its address.

Everything else in the lane reads and writes through what is given out here: a
memoryview of exactly one linear memory, as large as that is now. Python checks each
access against it. A memory never shrinks and, as the engine reserves its whole address
space beforehand, never moves; so a view that is too old is only too short.

The values of a callback, and of a call, lie in wasmtime's or in our own memory, at
addresses that C gives; they are read by formats that follow from the function's type.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, Final, cast, final

from airssys.contracts import EngineMisused
from airssys.wasm.lane.abi import Context
from airssys.wasm.values import MEMORY, Block

from . import _c_api as c

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.wasm.lane.abi import Core, Handles
    from airssys.wasm.lane.adapters import Image
    from airssys.wasm.lane.components import Encoding

    from ._resources import CallHandles

_CODES: Final[dict[Core, str]] = {"i32": "I", "i64": "Q", "f32": "f", "f64": "d"}
_KINDS: Final[dict[Core, int]] = {"i32": 0, "i64": 1, "f32": 2, "f64": 3}
_PAGE: Final = 65536
_view_of: Final = ctypes.pythonapi.PyMemoryView_FromMemory
_view_of.restype = ctypes.py_object
_view_of.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
_WRITABLE: Final = 0x200
_NO_VIEW: Final = memoryview(b"")


@final
class LinearMemory:
    """A memory of one store, and a view of it that is as large as it is."""

    __slots__ = ("_base", "_context", "_memory", "view")

    def __init__(self, context: int, memory: int) -> None:
        self._context, self._memory = context, memory
        self._base = 0
        self.view = _NO_VIEW

    def refresh(self) -> memoryview:
        """Look how large the memory is now; the guest may have run since."""
        size: int = c.memory_data_size(self._context, self._memory)
        if size != len(self.view):
            if not self._base:
                self._base = c.memory_data(self._context, self._memory)
            self.view = _view_of(self._base, size, _WRITABLE)
        return self.view

    def grow_to(self, size: int) -> memoryview:
        """Grow the memory to at least `size` bytes, between two polls.

        Raises:
            MemoryError: the memory may not be that large.
        """
        missing = (size - len(self.refresh()) + _PAGE - 1) // _PAGE
        if missing > 0:
            before = Block(8)
            error = c.memory_grow(self._context, self._memory, missing, before.base)
            if error:
                c.error_delete(error)
                raise MemoryError
        return self.refresh()


NO_HANDLES: Final = cast("Handles", None)
"""For values that contain no resources: code that moves these never uses the handles."""


@final
class GuestMemory(Context):
    """Values in a memory of the guest, which cannot be asked for more of it here."""

    __slots__ = ("image", "memory")

    def __init__(self, encoding: Encoding, memory: LinearMemory | None) -> None:
        super().__init__(encoding, NO_HANDLES)
        self.memory = memory
        self.image: Image | None = None
        """Where values for it are laid out, once there were some."""

    def begin(self, handles: CallHandles | None, keep: int) -> None:
        """Get ready for the values of one call."""
        self.handles, self.left = handles or NO_HANDLES, keep

    def renew_view(self) -> None:
        """Look how large the memory is now."""
        if self.memory is not None:
            self.view = self.memory.refresh()

    def allocate(self, alignment: int, size: int) -> int:
        """Refuse: what needs memory goes through an adapter."""
        raise EngineMisused(f"no {size} bytes aligned to {alignment} can be had here")


@final
class CoreValues:
    """Reads and writes the values of one core function."""

    def __init__(self, parameters: Sequence[Core], results: Sequence[Core]) -> None:
        self.parameters, self.results = tuple(parameters), tuple(results)
        raw = [_padded(core, c.RAW_SIZE) for core in parameters]
        self._read = struct.Struct("<" + "".join(raw)).unpack_from
        raw = [_padded(core, c.RAW_SIZE) for core in results]
        self._write = struct.Struct("<" + "".join(raw)).pack_into
        first = f"B{c.VAL_OF - 1}x"
        vals = [first + _padded(core, c.VAL_SIZE - c.VAL_OF) for core in parameters]
        self._arguments = struct.Struct("<" + "".join(vals)).pack_into
        self._kinds = [_KINDS[core] for core in parameters]
        skip = f"{c.VAL_OF}x"
        vals = [skip + _padded(core, c.VAL_SIZE - c.VAL_OF) for core in results]
        self._results = struct.Struct("<" + "".join(vals)).unpack_from

    def read(self, address: int) -> tuple[Any, ...]:
        """Read what a callback was called with."""
        return self._read(MEMORY, address)

    def write(self, address: int, values: Sequence[int | float]) -> None:
        """Write what a callback returns."""
        self._write(MEMORY, address, *values)

    def lay_out(self, block: Block, at: int, values: Sequence[int | float]) -> None:
        """Write the arguments of a call."""
        pairs = zip(self._kinds, values, strict=True)
        self._arguments(block.data, at, *(part for pair in pairs for part in pair))

    def result(self, block: Block, at: int) -> tuple[Any, ...]:
        """Read the results of a call."""
        return self._results(block.data, at)


def _padded(core: Core, size: int) -> str:
    code = _CODES[core]
    return f"{code}{size - struct.calcsize(code)}x"


def answer_epoch(update: int, kind: int) -> None:
    """Have the guest give way, and its next deadline be one epoch away."""
    struct.pack_into("<Q", MEMORY, update, 1)
    MEMORY[kind] = c.YIELD


def address_of(buffer: bytes) -> int:
    """The address of bytes; the caller keeps them alive while it uses the address."""
    return ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value or 0


def callback_address(callback: Any) -> int:
    """The address of a ctypes callback; the caller keeps it alive while using the address."""
    return ctypes.cast(callback, ctypes.c_void_p).value or 0


def text_at(read: Any, thing: int) -> str:
    """Read a text that wasmtime writes about something, and let go of it."""
    vector = Block(16)
    read(thing, vector.base)
    size, at = vector.words[0], vector.words[1]
    text = bytes(MEMORY[at : at + size])
    c.byte_vec_delete(vector.base)
    return text.decode(errors="replace").rstrip("\0")
