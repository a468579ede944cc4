"""Runs WebAssembly components as preemptible calls inside Trio.

Read `_fiber` (one call), `_turns` (who runs when), `_instance` (one guest and its
limits), in this order; `_ledger` holds what must be closed before what.
"""

from ._open_runtime import open_runtime
from ._world import EXPORTS, IMPORTS, full_name

__all__ = ("EXPORTS", "IMPORTS", "full_name", "open_runtime")
