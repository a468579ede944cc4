"""Images: values laid out in the scratch memory, from where adapters move them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from airssys.wasm.lane.abi import LARGE, Context, align, check_length
from airssys.wasm.lane.components import Encoding

from ._movers import IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.lane.abi import Handles

_NOT_COPIED: Final = 2**31


def _size_of(data: bytes | bytearray | memoryview) -> int:
    return memoryview(data).nbytes


@final
class Image(Context):
    """One image at a time; `begin` anew for each value."""

    __slots__ = ("_end", "_large", "_more", "top")

    def __init__(
        self,
        encoding: Encoding,
        handles: Handles,
        more: Callable[[int], tuple[memoryview, int, int]],
    ) -> None:
        super().__init__(encoding, handles)
        self._more = more
        """Finds room for this number of bytes elsewhere: all of the scratch memory, where
        that begins and ends."""
        self._large: list[memoryview] = []
        self.top = IMAGE
        """Where the next part begins."""
        self._end = IMAGE
        self.joins = encoding is Encoding.UTF8

    def begin(self, view: memoryview, slot: int, end: int) -> None:
        """Forget the image before.

        Args:
            view: the scratch memory as it is now.
            slot: where in it the part of the instance begins.
            end: where that ends.
        """
        self.view, self.top, self._end = view, slot + IMAGE, end
        self._large.clear()

    def allocate(self, alignment: int, size: int) -> int:
        """Give the next bytes of the scratch memory."""
        at = align(self.top, alignment)
        if at + size > self._end:
            self.view, at, self._end = self._more(size)
        self.top = at + size
        return at

    def put_bytes(self, data: bytes | bytearray | memoryview) -> tuple[int, int]:
        """Write a list of bytes."""
        return self._append(data, len(data) if type(data) is bytes else _size_of(data))

    def _append(
        self, data: bytes | bytearray | memoryview, size: int
    ) -> tuple[int, int]:
        """Write bytes that need not be aligned; what is large is only noted."""
        if size >= LARGE:
            return self._put(memoryview(data), 1), size
        at = self.allocate(1, size)
        self.view[at : at + size] = data
        return at, size

    def _put(self, data: memoryview, alignment: int) -> int:
        if len(data) < LARGE:
            return super()._put(data, alignment)
        return self.note(data)

    def note(self, data: bytes | memoryview) -> int:
        """Keep a large value as it is; returns the pointer that stands for it."""
        check_length(len(data))
        self._large.append(memoryview(data))
        return _NOT_COPIED + len(self._large) - 1

    def write(self, parts: list[bytes], end: int) -> bool:
        """Write parts, one behind the other, as far as `end`, if there is room."""
        if end > self._end:
            return False
        at, self.top = self.top, end
        self.view[at:end] = b"".join(parts)
        return True

    def large(self, pointer: int) -> memoryview:
        """Give the large value that a pointer in the image stands for."""
        return self._large[pointer - _NOT_COPIED]
