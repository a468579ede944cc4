"""The tree as it is now, as frozen data, and as a drawing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, final

import attrs
import trio

from airssys.contracts import (
    ComponentSpec,
    HealthStatus,
    PoolSpec,
    TaskSpec,
    Waiting,
    one_line,
    worst_health,
)
from airssys.nursery.actors import ActorCell
from airssys.nursery.children import Slot, SlotState

from ._supervisor_cell import SupervisorCell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from airssys.contracts import ComponentId
    from airssys.security.quotas import Account, Accounts


_MUCH: Final = 0.8
"""The share of a quota from which on a drawing shows it."""


@final
@attrs.frozen
class QuotaUsage:
    """How much of one quota is in use."""

    quota: str
    used: float
    """Of a rate, what is missing from the full bucket; more than the limit is a debt."""
    limit: float
    """Of a rate, its burst. inf: it is not limited here."""


@final
@attrs.frozen
class TreeNode:
    """One supervisor or actor at one moment."""

    name: str
    kind: str
    """`supervisor`, `pool`, `component`, `actor` (Python code) or `task`."""
    state: str
    """E.g. `running`, `restarting`, `stopped`."""
    restarts: int = 0
    """Times it was ready again after its first start."""
    queued: int = 0
    """Messages in its mailbox."""
    capacity: int = 0
    """Messages that may queue; 0 for a supervisor, which has no mailbox."""
    children: tuple[TreeNode, ...] = ()
    """In start order."""
    blocked: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    """The actors that wait for room in its mailbox, in this order."""
    health: HealthStatus | None = None
    """The result of its last probe; of a supervisor the worst of its children's. None if
    none is probed. From best to worst: healthy, unknown, degraded, unhealthy."""
    waits_for: tuple[Waiting, ...] = attrs.field(default=(), kw_only=True)
    """The actors that it waits for itself, and what for."""
    usage: tuple[QuotaUsage, ...] = attrs.field(default=(), kw_only=True, eq=False)
    """The quotas of which something is in use. A supervisor without quotas of its own has
    the sums of its children, with the limit inf."""

    def walk(self) -> Iterator[TreeNode]:
        """Visit this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def find(self, name: str) -> TreeNode | None:
        """Find the first node of this name, here or below."""
        return next((node for node in self.walk() if node.name == name), None)


def take_snapshot(
    slot: Slot, waits: Iterable[Waiting] = (), accounts: Accounts | None = None
) -> TreeNode:
    """Describe one slot of the tree and all below it.

    Args:
        slot: the slot.
        waits: which actors wait for which at this moment.
        accounts: what is in use, also by supervisors with quotas.
    """
    by_waiter: dict[ComponentId, list[Waiting]] = {}
    for wait in waits:
        by_waiter.setdefault(wait.waiter, []).append(wait)
    return _look(slot, by_waiter, slot.name, accounts)


def _look(
    slot: Slot,
    waits: Mapping[ComponentId, Sequence[Waiting]],
    path: str,
    accounts: Accounts | None,
) -> TreeNode:
    state, cell = _state(slot).value, slot.cell
    if isinstance(cell, ActorCell):
        kind = "component" if isinstance(slot.spec, ComponentSpec) else "actor"
        mailbox = cell.address.mailbox
        fill = mailbox.statistics()
        return TreeNode(
            slot.name,
            kind,
            state,
            slot.restarts,
            fill.queued,
            fill.capacity,
            health=_health(slot, cell),
            blocked=tuple(map(str, mailbox.blocked_senders)),
            waits_for=tuple(waits.get(cell.address.id, ())),
            usage=_usage_of(accounts and accounts.find(cell.address.id.text)),
        )
    if isinstance(slot.spec, TaskSpec):
        return TreeNode(slot.name, "task", state, slot.restarts)
    children: tuple[TreeNode, ...] = ()
    if isinstance(cell, SupervisorCell) and cell.present is not None:
        children = tuple(
            _look(child, waits, f"{path}/{child.name}", accounts)
            for child in cell.present.roster
        )
    health = worst_health(child.health for child in children)
    is_pool = isinstance(slot.spec, PoolSpec)
    summed = accounts and accounts.find_supervisor(path)
    return TreeNode(
        slot.name,
        "pool" if is_pool else "supervisor",
        state,
        slot.restarts,
        queued=sum(child.queued for child in children) if is_pool else 0,
        capacity=sum(child.capacity for child in children) if is_pool else 0,
        children=children,
        health=health,
        usage=_sums(children, summed),
    )


def _usage_of(account: Account | None) -> tuple[QuotaUsage, ...]:
    if account is None:
        return ()
    used = account.usage(trio.current_time()).items()
    return tuple(QuotaUsage(name, *each) for name, each in used if each[0] > 0)


def _sums(
    children: Iterable[TreeNode], account: Account | None
) -> tuple[QuotaUsage, ...]:
    """Return what is in use below a supervisor; its own account knows it best."""
    sums: dict[str, float] = {}
    for child in children:
        for each in child.usage:
            sums[each.quota] = sums.get(each.quota, 0) + each.used
    own = _usage_of(account)
    for each in own:
        sums.pop(each.quota, None)
    others = (QuotaUsage(quota, used, math.inf) for quota, used in sums.items())
    return (*own, *others)


def _health(slot: Slot, cell: ActorCell) -> HealthStatus | None:
    """Return the health of an actor that is probed; unknown if the actor is down."""
    if getattr(slot.spec, "health", None) is None:
        return None
    info = cell.address.shared.infos.get(cell.address.id)
    is_up = _state(slot) is SlotState.RUNNING
    return HealthStatus(info.health) if info and is_up else HealthStatus.UNKNOWN


def _state(slot: Slot) -> SlotState:
    """Say where a child stands; that it is ready may be known before it was noted."""
    if slot.child is not None and slot.child.is_ready:
        starting = slot.state in {SlotState.STARTING, SlotState.RESTARTING}
        return SlotState.RUNNING if starting else slot.state
    return slot.state


def render(tree: TreeNode) -> str:
    """Draw a tree as text, one line each."""
    return "\n".join(_lines(tree, "", ""))


def _lines(node: TreeNode, first: str, rest: str) -> Iterator[str]:
    yield first + _describe(node)
    for child in node.children:
        is_last = child is node.children[-1]
        branch, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from _lines(child, rest + branch, rest + below)


def _describe(node: TreeNode) -> str:
    parts = [f"{node.name} ({node.kind}) {node.state}"]
    if node.restarts:
        parts.append(f"restarts {node.restarts}")
    if node.queued:
        parts.append(f"mailbox {node.queued}/{node.capacity}")
    if node.blocked:
        parts.append(f"blocked: {', '.join(node.blocked)}")
    if node.health is not None:
        parts.append(node.health.value)
    parts += [
        f"uses {each.used / each.limit:.0%} of {each.quota}"
        for each in node.usage
        if each.used >= _MUCH * each.limit
    ]
    if node.waits_for:
        parts.append(f"waits for {', '.join(map(str, node.waits_for))}")
    return one_line(", ".join(parts))
