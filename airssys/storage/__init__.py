"""Storage for components: keys and values, separate for each component."""

from airssys.contracts import renamed

from ._memory_storage import MemoryStorage

__all__ = ("MemoryStorage",)

__getattr__ = renamed(__name__, {"MemoryStore": "MemoryStorage"})
