"""What components keep: keys and values, each component's apart from all others'."""

from ._memory_store import MemoryStore

__all__ = ("MemoryStore",)
