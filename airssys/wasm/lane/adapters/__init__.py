"""Adapters: core modules, written by the host, through which values reach a guest."""

from ._adapters import (
    DROP,
    SCRATCH,
    AdapterModule,
    ExportNeeds,
    drop_module,
    shim_module,
    task_shim,
)
from ._assembler import name
from ._image import LARGE, Image
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
    "PENDING",
    "SCRATCH",
    "AdapterModule",
    "ExportNeeds",
    "Image",
    "drop_module",
    "has_pointers",
    "name",
    "shim_module",
    "task_shim",
)
