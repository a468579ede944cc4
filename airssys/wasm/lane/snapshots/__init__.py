"""Snapshots of instances as values, and as bytes."""

from ._image import CHUNK, FreshImage, PageChanges
from ._snapshot import Snapshot
from ._states import PAGE, Handle, HandleState, MemoryState

__all__ = (
    "CHUNK",
    "PAGE",
    "FreshImage",
    "Handle",
    "HandleState",
    "MemoryState",
    "PageChanges",
    "Snapshot",
)
