"""Images: values laid out in the scratch memory, from where adapters move them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.wasm.lane.abi import Context, align, check_length
from airssys.wasm.lane.components import Encoding

from ._movers import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.lane.abi import Handles

LARGE: Final = 16 * 1024
"""Bytes from which on a string or list is not copied into the image."""
_NOT_COPIED: Final = 2**31


def _size_of(data: bytes | bytearray | memoryview) -> int:
    return memoryview(data).nbytes


@final
class Image(Context):
    """One image at a time; `begin` anew for each value."""

    __slots__ = ("_grow", "_large", "_top")

    def __init__(
        self,
        encoding: Encoding,
        handles: Handles,
        grow: Callable[[int], memoryview],
    ) -> None:
        super().__init__(encoding, handles)
        self._grow = grow
        """Grows the scratch memory to at least this number of bytes; returns all of it."""
        self._large: list[memoryview] = []
        self._top = IMAGE

    def begin(self, view: memoryview) -> None:
        """Forget the image before; `view` is the scratch memory as it is now."""
        self.view, self._top = view, IMAGE
        self._large.clear()

    def allocate(self, alignment: int, size: int) -> int:
        """Give the next bytes of the scratch memory."""
        at = align(self._top, alignment)
        self._top = at + size
        if self._top > len(self.view):
            self.view = self._grow(self._top)
        return at

    def put_string(self, text: str) -> tuple[int, int]:
        """Write a string, most often straight behind the value before it."""
        if self.encoding is not Encoding.UTF8:
            return super().put_string(text)
        data = text.encode()
        size, at = len(data), self._top
        end = at + size
        if size >= LARGE or end > len(self.view):
            return self._append(data, size)
        self._top = end
        self.view[at:end] = data
        return at, size

    def put_bytes(self, data: bytes | bytearray | memoryview) -> tuple[int, int]:
        """Write a list of bytes."""
        return self._append(data, len(data) if type(data) is bytes else _size_of(data))

    def _append(
        self, data: bytes | bytearray | memoryview, size: int
    ) -> tuple[int, int]:
        """Write bytes that need not be aligned; what is large is only noted."""
        if size >= LARGE:
            return self._put(memoryview(data), 1), size
        at = self._top
        self._top = end = at + size
        if end > len(self.view):
            self.view = self._grow(end)
        self.view[at:end] = data
        return at, size

    def _put(self, data: memoryview, alignment: int) -> int:
        if len(data) < LARGE:
            return super()._put(data, alignment)
        check_length(len(data))
        self._large.append(data)
        return _NOT_COPIED + len(self._large) - 1

    def large(self, pointer: int) -> memoryview:
        """Give the large value that a pointer in the image stands for."""
        return self._large[pointer - _NOT_COPIED]
