"""Runs WebAssembly components as preemptible calls inside Trio.

Read `_fiber` (one call), `_turns` (who runs when), `_instance` (one guest and its
limits), in this order; `_ledger` holds what must be closed before what.
"""

from ._cache_listing import CacheEntry, clear_cache, list_cache
from ._cache_secret import user_cache_directory
from ._inspection import Inspection, inspect
from ._open_runtime import open_runtime
from ._world import EXPORTS, IMPORTS, TYPE_ONLY, full_name

__all__ = (
    "EXPORTS",
    "IMPORTS",
    "TYPE_ONLY",
    "CacheEntry",
    "Inspection",
    "clear_cache",
    "full_name",
    "inspect",
    "list_cache",
    "open_runtime",
    "user_cache_directory",
)
