"""Adapters: core modules, written by the host, through which values reach a guest.

The theory. A string can only be put into a guest's memory where the guest's `realloc` says,
and that is guest code, which may spin or trap. If the host called it, frames of Python
would be on the guest's stack, and it could not be interrupted. So the host lays out the
whole value in a memory of its own, and a module that it has written walks through it
within the guest's call: it calls `realloc`, copies, and calls the function.
"""

from airssys.wasm.lane.abi import LARGE

from ._adapters import (
    DROP,
    PAGES,
    SCRATCH,
    SLOT,
    AdapterModule,
    ExportNeeds,
    drop_module,
    shim_module,
    task_shim,
)
from ._assembler import name
from ._image import Image
from ._movers import (
    ANSWERED,
    ANSWERED_NOW,
    BROKEN,
    BROKEN_ALIGNMENT,
    BROKEN_BOUNDS,
    IMAGE,
    MAY_LEAVE,
    PENDING,
    has_pointers,
)

__all__ = (
    "ANSWERED",
    "ANSWERED_NOW",
    "BROKEN",
    "BROKEN_ALIGNMENT",
    "BROKEN_BOUNDS",
    "DROP",
    "IMAGE",
    "LARGE",
    "MAY_LEAVE",
    "PAGES",
    "PENDING",
    "SCRATCH",
    "SLOT",
    "AdapterModule",
    "ExportNeeds",
    "Image",
    "drop_module",
    "has_pointers",
    "name",
    "shim_module",
    "task_shim",
)
