"""Snapshots of instances as values, and as bytes.

The theory. Between two calls the state of an instance is in its memories, globals, tables
and handles, and nowhere else. Most of it is what a fresh instance has. So a snapshot holds
the pages that differ, all globals, and of tables and handles what must be so for it to
fit; what it does not hold must be as in a fresh instance, or it is refused.
"""

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
