"""Snapshots of instances as values, and as bytes."""

from ._format import from_bytes, to_bytes
from ._image import CHUNK, FreshImage, PageChanges
from ._snapshot import PAGE, Handle, HandleState, MemoryState, Snapshot

__all__ = (
    "CHUNK",
    "PAGE",
    "FreshImage",
    "Handle",
    "HandleState",
    "MemoryState",
    "PageChanges",
    "Snapshot",
    "from_bytes",
    "to_bytes",
)
