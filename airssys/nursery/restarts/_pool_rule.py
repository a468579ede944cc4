"""How many members a pool should have, by what they have to do. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airssys.contracts import PoolSize


def grown(size: PoolSize, members: int, load: int) -> int:
    """Return how many members it takes for this load; never fewer than there are.

    Args:
        size: the rule.
        members: how many there are.
        load: what they have to do, all together.
    """
    if load <= size.grow_above * members:
        return members
    enough = load / size.grow_above if size.grow_above else math.inf
    return max(members, math.ceil(min(size.maximum, enough)))


def shrunk(size: PoolSize, members: int, most: int) -> int:
    """Return how many members are enough; at most one fewer than there are.

    One is given up only if those left would not have to grow again at once.

    Args:
        size: the rule.
        members: how many there are.
        most: the greatest load of all together in the time looked back at.
    """
    fewer = members - 1
    if fewer < size.minimum or most >= size.shrink_below * members:
        return members
    return fewer if most <= size.grow_above * fewer else members
