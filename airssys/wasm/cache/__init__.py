"""Compiled components, kept from run to run."""

from ._artifact_cache import ArtifactCache, Kept, KeptParts, chosen_cache
from ._listing import CacheEntry, clear_cache, list_cache
from ._secret import user_cache_directory

__all__ = (
    "ArtifactCache",
    "CacheEntry",
    "Kept",
    "KeptParts",
    "chosen_cache",
    "clear_cache",
    "list_cache",
    "user_cache_directory",
)
