"""Storage for components: keys and values, separate for each component."""

from ._memory_store import MemoryStore

__all__ = ("MemoryStore",)
