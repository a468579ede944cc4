"""Which actors wait for which, and whether one more wait would close a cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import ComponentId, RequestWouldDeadlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@final
@attrs.define(eq=False, repr=False)
class WaitGraph:
    """The waits of all actors: an edge leads from the one that waits to its target.

    A multigraph: an actor may wait several times, also for the same target, and each
    wait is removed on its own. The graph never holds a cycle, for the edge that would
    close one is refused. It is strict: an actor counts as stuck as soon as one of its
    waits is, even if another of its tasks could still go on.
    """

    _counts: dict[ComponentId, dict[ComponentId, int]] = attrs.field(
        init=False, factory=dict
    )
    """How often each waiter waits for each target. Invariant: no count is below 1 and
    no inner dict is empty, so that being a key here means waiting."""
    _waiters: dict[ComponentId, dict[ComponentId, None]] = attrs.field(
        init=False, factory=dict
    )
    """The same edges the other way round: the waiters of each target."""

    def add(self, waiter: ComponentId, target: ComponentId) -> None:
        """Note that one actor begins to wait for another.

        Raises:
            RequestWouldDeadlock: the target already waits, directly or through others,
                for the waiter, or is the waiter; nothing was changed. Its path is a
                shortest one: waiter, target, ..., waiter.
        """
        if (waiter == target or target in self._counts) and self._leads_to(
            target, waiter
        ):
            raise RequestWouldDeadlock((waiter, *self._find_path(target, waiter)))
        targets = self._counts.setdefault(waiter, {})
        if target in targets:
            targets[target] += 1
            return
        targets[target] = 1
        self._waiters.setdefault(target, {})[waiter] = None

    def remove(self, waiter: ComponentId, target: ComponentId) -> None:
        """Note that one such wait ended, however it did.

        Raises:
            KeyError: the waiter does not wait for this target.
        """
        targets = self._counts[waiter]
        if targets[target] > 1:
            targets[target] -= 1
            return
        del targets[target]
        if not targets:
            del self._counts[waiter]
        waiters = self._waiters[target]
        del waiters[waiter]
        if not waiters:
            del self._waiters[target]

    def edges(self) -> frozenset[tuple[ComponentId, ComponentId]]:
        """Return each (waiter, target) that is there now, once however often it is."""
        return frozenset(
            (waiter, target)
            for waiter, targets in self._counts.items()
            for target in targets
        )

    def counts(self) -> tuple[tuple[ComponentId, ComponentId, int], ...]:
        """Return each waiter and target that is there now, and how often it is."""
        return tuple(
            (waiter, target, times)
            for waiter, targets in self._counts.items()
            for target, times in targets.items()
        )

    def _leads_to(self, start: ComponentId, goal: ComponentId) -> bool:
        """Return whether there is a path, at the cost of the smaller side of it.

        Chains of waits may be long, but for most actors that begin to wait, no other
        actor waits. So the search goes on from both ends in turns, until one has no more
        steps.
        """
        if start == goal:
            return True
        ahead, behind = [start], [goal]
        after, before = {start}, {goal}
        while ahead and behind:
            if _step(self._counts, ahead, after, before):
                return True
            if _step(self._waiters, behind, before, after):
                return True
        return False

    def _find_path(self, start: ComponentId, goal: ComponentId) -> list[ComponentId]:
        """Search breadth first; the path holds both ends, and is empty if there is none."""
        came_from: dict[ComponentId, ComponentId | None] = {start: None}
        # Appending while iterating is the queue of the search.
        reached = [start]
        for here in reached:
            if here == goal:
                return _trace_back(here, came_from)
            for there in self._counts.get(here, ()):
                if there not in came_from:
                    came_from[there] = here
                    reached.append(there)
        return []


@final
@attrs.define(eq=False)
class Wait:
    """One wait, from when it was made until it is ended.

    Raises:
        RequestWouldDeadlock: as `WaitGraph.add`.
    """

    _graph: WaitGraph
    _waiter: ComponentId | None
    """None for a task outside of all actors, for which no actor can wait."""
    _target: ComponentId

    def __attrs_post_init__(self) -> None:
        if self._waiter is not None:
            self._graph.add(self._waiter, self._target)

    def end(self) -> None:
        """Wait no longer; once."""
        if self._waiter is not None:
            self._graph.remove(self._waiter, self._target)

    def turn_to(self, target: ComponentId) -> None:
        """Wait for another one instead.

        Raises:
            RequestWouldDeadlock: that one waits for the waiter; nothing was changed.
        """
        if self._waiter is not None:
            self._graph.add(self._waiter, target)
            self._graph.remove(self._waiter, self._target)
        self._target = target


def _trace_back(
    end: ComponentId, came_from: dict[ComponentId, ComponentId | None]
) -> list[ComponentId]:
    path = [end]
    while (previous := came_from[path[-1]]) is not None:
        path.append(previous)
    path.reverse()
    return path


def _step(
    edges: Mapping[ComponentId, Iterable[ComponentId]],
    frontier: list[ComponentId],
    seen: set[ComponentId],
    wanted: set[ComponentId],
) -> bool:
    """Go on from one of a frontier; True if that comes to something wanted."""
    for there in edges.get(frontier.pop(), ()):
        if there in wanted:
            return True
        if there not in seen:
            seen.add(there)
            frontier.append(there)
    return False
