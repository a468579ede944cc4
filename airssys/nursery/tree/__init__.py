"""The tree: places of supervisors, pools, replacement, snapshots."""

from ._administration import Administration
from ._pool_address import pool_opener
from ._replacer import Replacer
from ._snapshot import QuotaUsage, TreeNode, render, take_snapshot
from ._supervisor_cell import SupervisorCell, find_actor, find_pool, find_supervisor

__all__ = (
    "Administration",
    "QuotaUsage",
    "Replacer",
    "SupervisorCell",
    "TreeNode",
    "find_actor",
    "find_pool",
    "find_supervisor",
    "pool_opener",
    "render",
    "take_snapshot",
)
