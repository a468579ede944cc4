"""Memory in which values are laid out before wasmtime reads them.

A `Frame` is never resized, because a call reads it: what does not fit goes into further
blocks. Frames are kept and reused, because laying out names and kinds again costs more
than a call.

A byte list needs 32 bytes of memory per byte. It is written by strided copies, in
pieces that are small enough for other threads to get the interpreter lock in between.
"""

from __future__ import annotations

from typing import Final, final

from airssys.wasm._c_api import VAL_SIZE, Kind
from airssys.wasm.values import Block, Handles, encoded

CONTENT: Final = 8
"""Where the content of a `wasmtime_component_val_t` begins; the kind is at 0."""
PIECE: Final = 32 * 1024
"""Bytes of a byte list that are moved in one step: 1 MiB of values."""
_U8_TAGS: Final = bytes([Kind.U8]) * PIECE


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
