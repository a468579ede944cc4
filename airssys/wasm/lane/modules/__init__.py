"""Core modules rewritten before they are compiled: more of them is exported."""

from ._exports import NOTHING, Exposed, Prepared, prepared

__all__ = ("NOTHING", "Exposed", "Prepared", "prepared")
