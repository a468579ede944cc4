"""What an instance has that a fresh one has not, as a value.

The theory. Core WebAssembly is deterministic: every fresh instance of a component, whose
start functions do not call the host, has the same memories, globals and tables. So the
state of an instance between two calls is what differs from a fresh one: pages of its
memories, globals, and the tables of handles that the host keeps for it. To restore it,
that is written over a fresh instance.

A table of functions is not written: what stands in it are addresses of one store. Most
guests never change one. Those that did are refused.
"""

from __future__ import annotations

from typing import Final, final

import attrs

PAGE: Final = 4096
"""Bytes of a page: what is compared, and saved if a byte of it differs."""


@final
@attrs.frozen
class MemoryState:
    """One memory."""

    fresh_size: int
    """Bytes that it has in a fresh instance."""
    size: int
    """Bytes that it has now."""
    pages: tuple[int, ...]
    """Numbers of the pages that differ from those of a fresh instance, ascending."""
    zeroed: tuple[int, ...]
    """Numbers of those that differ because they are zero now, ascending."""
    content: bytes = attrs.field(repr=False)
    """The content of `pages`, one after the other."""


@final
@attrs.frozen
class Handle:
    """What one handle of a component instance stands for: a resource of its own."""

    number: int
    resource: str
    representation: int


@final
@attrs.frozen
class HandleState:
    """The handles of one component instance."""

    count: int
    """How many numbers were ever used."""
    handles: tuple[Handle, ...]
    free: tuple[int, ...]
    """The numbers to use again, the next one last."""
