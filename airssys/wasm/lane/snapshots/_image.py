"""Memories of a fresh instance, to compare others with."""

from __future__ import annotations

from typing import Final, final

import attrs

from ._states import PAGE, MemoryState

CHUNK: Final = 16 * PAGE
"""Bytes that are compared at once; the size of every memory is a multiple of it."""
_NO_PAGE: Final = bytes(PAGE)
_NO_CHUNK: Final = bytes(CHUNK)


@final
@attrs.frozen(eq=False)
class FreshImage:
    """What a fresh instance of a component has."""

    memories: tuple[tuple[bytes, ...], ...] = attrs.field(repr=False)
    """Their content, in chunks."""
    tables: tuple[tuple[int, ...], ...] = attrs.field(repr=False)
    """The address of each function, 0 if there is none."""
    functions: tuple[int, ...]
    """The address of one function of each core instance."""
    globals: tuple[tuple[int, bytes], ...] = attrs.field(repr=False)
    """Type and value of those that are mutable."""

    @staticmethod
    def chunk(content: bytes) -> bytes:
        """Return content to keep: all empty chunks are one."""
        return _NO_CHUNK if content == _NO_CHUNK else content


@final
class PageChanges:
    """Collects the pages in which a memory differs from a fresh one."""

    def __init__(self, fresh: tuple[bytes, ...], size: int) -> None:
        self._fresh, self._size = fresh, size
        self._pages: list[int] = []
        self._zeroed: list[int] = []
        self._content: list[bytes] = []

    @property
    def kept(self) -> int:
        """How many bytes were collected."""
        return len(self._content) * PAGE

    def compare(self, number: int, content: bytes) -> None:
        """Compare the chunk of that number."""
        fresh = self._fresh[number] if number < len(self._fresh) else _NO_CHUNK
        if content == fresh:
            return
        first = number * CHUNK // PAGE
        for index in range(CHUNK // PAGE):
            part = slice(index * PAGE, (index + 1) * PAGE)
            page = content[part]
            if page == fresh[part]:
                continue
            if page == _NO_PAGE:
                self._zeroed.append(first + index)
            else:
                self._pages.append(first + index)
                self._content.append(page)

    def state(self) -> MemoryState:
        """Return all that was found."""
        return MemoryState(
            len(self._fresh) * CHUNK,
            self._size,
            tuple(self._pages),
            tuple(self._zeroed),
            b"".join(self._content),
        )
