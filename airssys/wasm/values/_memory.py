"""Memory that does not move, and all memory of this process by its addresses.

Memory that is passed to a call must not move until the call's future is deleted, so a
`Block` is never resized.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Final, final

from airssys.wasm import _c_api as c

from ._types import ValueUnfit

MEMORY: Final = memoryview((ctypes.c_char * sys.maxsize).from_address(0)).cast("B")
"""All memory of this process; an index is an address.

Reading through it does what `ctypes.string_at` does, three times as fast, because
nothing is copied before it is unpacked. As there, an invalid address crashes the
process.
"""
_LARGE: Final = 1 << 20
_PRIVATE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


def encoded(text: str, path: str) -> bytes:
    """Encode the string at `path` as UTF-8.

    Raises:
        ValueUnfit: It has lone surrogates, which UTF-8 cannot encode.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueUnfit(f"{text!r:.60} has lone surrogates", path) from error


_byte_of: Final = ctypes.c_char.from_buffer
_ByteVec: Final = ctypes.c_size_t * 2
"""A `wasm_byte_vec_t`: how many bytes, and where."""


@final
class Block:
    """Memory that does not move, with its address."""

    __slots__ = ("base", "data", "size", "top", "words")

    def __init__(self, size: int) -> None:
        size = (size + 7) & ~7
        # Clearing tens of megabytes would hold the interpreter lock longer than a tick;
        # the kernel hands out cleared pages one by one.
        self.data = bytearray(size) if size < _LARGE else mmap.mmap(-1, size, _PRIVATE)
        self.base = ctypes.addressof(_byte_of(self.data)) if size else 0
        self.words = memoryview(self.data).cast("Q")  # keeps the data from moving
        self.size = size
        self.top = 0


def error_text(error: int) -> str:
    """Read and delete a `wasmtime_error_t`."""
    message = _ByteVec()
    place = ctypes.addressof(message)
    c.error_message(error, place)
    c.error_delete(error)
    size, address = message
    text = str(MEMORY[address : address + size], "utf-8", "replace")
    c.byte_vec_delete(place)
    return text
