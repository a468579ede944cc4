"""Memory in which values are laid out before wasmtime reads them.

Memory that is passed to a call must not move until the call's future is deleted, so a
`Frame` is never resized: what does not fit goes into further blocks. Frames are kept
and reused, because laying out names and kinds again costs more than a call.

A byte list needs 32 bytes of memory per byte. It is written by strided copies, in
pieces that are small enough for other threads to get the interpreter lock in between.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Final, final

from airssys.wasm import _c_api as c
from airssys.wasm._c_api import VAL_SIZE, Kind

from ._types import Handles, ValueUnfit

CONTENT: Final = 8
"""Where the content of a `wasmtime_component_val_t` begins; the kind is at 0."""
PIECE: Final = 32 * 1024
"""Bytes of a byte list that are moved in one step: 1 MiB of values."""
MEMORY: Final = memoryview((ctypes.c_char * sys.maxsize).from_address(0)).cast("B")
"""All memory of this process; an index is an address.

Reading through it does what `ctypes.string_at` does, three times as fast, because
nothing is copied before it is unpacked. As there, an invalid address crashes the
process.
"""
_LARGE: Final = 1 << 20
_PRIVATE: Final = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
_U8_TAGS: Final = bytes([Kind.U8]) * PIECE


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


@final
class Frame:
    """Memory for one set of values: fixed places, and room for strings and lists.

    It may be reused once no call reads it any more.
    """

    __slots__ = ("borrowed", "byte_values", "fixed", "handles", "more", "spare")

    def __init__(self, fixed_bytes: int) -> None:
        self.fixed = Block(fixed_bytes)
        self.spare = Block(512)
        self.more: list[Block] = []
        self.borrowed: list[object] = []
        """Other objects that the values point into, kept until `reset`."""
        self.byte_values = _tagged_bytes(128)
        self.handles: Handles | None = None
        """The owner of the resources in the values, for types that have some."""

    def reserve(self, size: int) -> tuple[Block, int]:
        """Find room for `size` bytes, aligned to 8, valid until `reset`."""
        block = self.spare
        at = (block.top + 7) & ~7
        if at + size > block.size:
            block, at = self._another(size), 0
        block.top = at + size
        return block, at

    def put_text(self, text: str, path: str) -> tuple[int, int]:
        """Copy the string at `path`; return its size in bytes and its address.

        Raises:
            ValueUnfit: It has lone surrogates, which UTF-8 cannot encode.
        """
        data = encoded(text, path)
        size = len(data)
        block = self.spare
        at = block.top
        if at + size > block.size:
            block, at = self._another(size), 0
        block.top = end = at + size
        block.data[at:end] = data
        return size, block.base + at

    def _another(self, size: int) -> Block:
        self.more.append(self.spare)
        self.spare = Block(max(size, 2 * self.spare.size))
        return self.spare

    def put_byte_values(self, data: bytes | bytearray | memoryview) -> int:
        """Lay out `data` as u8 values and return their address."""
        size = len(data)
        block = self.byte_values
        at = block.top
        if at + size * VAL_SIZE > block.size:
            self.more.append(block)
            block = self.byte_values = _tagged_bytes(max(size, block.size // 16))
            at = 0
        block.top = at + size * VAL_SIZE
        values = block.data
        if not size:
            return block.base
        if size <= PIECE:
            values[at + CONTENT : at + size * VAL_SIZE : VAL_SIZE] = data
        else:
            for start in range(0, size, PIECE):
                piece = data[start : start + PIECE]
                first = at + start * VAL_SIZE
                last = first + len(piece) * VAL_SIZE
                values[first + CONTENT : last : VAL_SIZE] = piece
        return block.base + at

    @property
    def size(self) -> int:
        """How many bytes the strings and lists use."""
        taken = self.spare.top + self.byte_values.top
        return taken + sum(block.top for block in self.more)

    def reset(self) -> int:
        """Make it ready for other values; return how many bytes it has grown to."""
        self.more.clear()
        self.borrowed.clear()
        self.spare.top = self.byte_values.top = 0
        return self.spare.size + self.byte_values.size


def _tagged_bytes(count: int) -> Block:
    block = Block(count * VAL_SIZE)
    for start in range(0, count, PIECE):
        size = min(PIECE, count - start)
        first = start * VAL_SIZE
        block.data[first : first + size * VAL_SIZE : VAL_SIZE] = _U8_TAGS[:size]
    return block


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
