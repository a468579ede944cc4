"""Compiled components, kept from run to run.

The theory. Compiled code is found by what it was made from: the component, the settings
that are compiled in, and the engine's version. To load it is to run it, so nothing is
loaded that this user has not written: its directory belongs to the user alone, and each
file has an authentication code made with a secret that is kept elsewhere.
"""

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
