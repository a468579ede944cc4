"""How long a tree may take to stop, computed before it is started. Pure.

Children stop one after the other, so their shutdown times add up, and the sum has no
limit. A supervisor with a finite shutdown time limits everything below it. The children
of a dynamic supervisor, and the members of a pool, stop at the same time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airssys.contracts.errors import Mistake
from airssys.contracts.specs import (
    SUPERVISOR_SPECS,
    ChildSpec,
    DynamicSupervisorSpec,
    PoolSpec,
    SupervisorSpec,
)
from airssys.contracts.values import BrutalKill

if TYPE_CHECKING:
    from collections.abc import Iterator


def longest_stop(spec: ChildSpec) -> float:
    """Return the seconds a child may take to stop, without its cancellation.

    Infinite for a dynamic supervisor without a template or a shutdown time, whose
    children are not known.
    """
    own = 0.0 if isinstance(spec.shutdown, BrutalKill) else spec.shutdown
    if isinstance(spec, SUPERVISOR_SPECS):
        return min(own, _below(spec))
    return own


def stop_mistakes(root: SupervisorSpec, budget: float) -> Iterator[Mistake]:
    """Check that a whole tree can always stop in time.

    If it cannot, the child that takes longest is named, as deep in the tree as
    possible.
    """
    total = _below(root)
    if total <= budget:
        return
    path, worst = _longest("$.root", root)
    seconds = longest_stop(worst)
    if seconds == math.inf:
        text = "there is no limit on how long it may take to stop"
        hint = f"the stop budget is {budget:g} s: give it a shutdown time"
    else:
        text = (
            f"it may take {seconds:g} of the {total:g} s in which the whole tree stops"
        )
        hint = f"the stop budget is {budget:g} s: give it, or others, less time"
    yield Mistake(f"{path}.shutdown", text, hint)


def _below(spec: SupervisorSpec | DynamicSupervisorSpec | PoolSpec) -> float:
    if isinstance(spec, PoolSpec):
        return longest_stop(spec.member)
    if isinstance(spec, SupervisorSpec):
        return sum(map(longest_stop, spec.children))
    return math.inf if spec.template is None else longest_stop(spec.template)


def _longest(path: str, spec: SupervisorSpec) -> tuple[str, ChildSpec]:
    """Find the slowest child, as deep as one child takes all of its parent's time."""
    children = list(enumerate(spec.children))
    index, child = max(children, key=lambda each: longest_stop(each[1]))
    path = f"{path}.children[{index}]"
    if isinstance(child, SupervisorSpec) and child.children:
        below = _longest(path, child)
        if longest_stop(child) == _below(child):
            return below
    return path, child
