"""The authorities of one system, by the names of their actors."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, final

from airssys.security.capabilities import Rules
from airssys.security.policies import rules_held

from ._authority import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.contracts import ActorSpec, ComponentId, ComponentSpec, EventSink
    from airssys.security.policies import Bound

    from ._cuts import Cut
    from ._verdicts import Recorder


@final
class Authorities:
    """What each restricted actor of one system may do.

    Args:
        events: Notified of what is denied and changed.
        now: The present time.
        recorder: Records decisions; None: nothing is recorded.
    """

    def __init__(
        self,
        events: EventSink,
        now: Callable[[], float],
        recorder: Recorder | None = None,
    ) -> None:
        self._events, self.now = events, now
        self._recorder = recorder
        self._closed: str | None = None
        self._by_name: dict[ComponentId, Authority] = {}

    def open(
        self,
        spec: ActorSpec | ComponentSpec,
        bounds: tuple[Bound, ...],
    ) -> Authority | None:
        """Return the authority of an actor; None if nothing restricts it.

        It is the one that its name had before, with whatever was changed since.

        Args:
            spec: its declaration. Its actor has the name, or nothing may be changed: see
                `nothing`.
            bounds: those above it.
        """
        is_known = bool(self._by_name) and spec.id in self._by_name
        if spec.can is None and not bounds and not is_known:
            return None  # as for most Python actors
        authority, declare = self.prepare(spec, bounds)
        declare()
        return authority

    def nothing(self, name: ComponentId) -> Authority:
        """Return what allows nothing, for an actor whose name another one has."""
        return Authority(name, Rules(), (), self._events, self.now)

    def prepare(
        self,
        spec: ActorSpec | ComponentSpec,
        bounds: tuple[Bound, ...],
        *,
        anew: tuple[Cut, ...] | None = None,
    ) -> tuple[Authority | None, Callable[[], None]]:
        """Return what `open` does, and what makes it hold.

        `anew`: these cuts (`cuts_of`) are undone by the declaration, which was made after
        them. None: none is.
        """
        known = self._by_name.get(spec.id)
        if spec.can is None:
            granted = bounds[-1].rules if bounds else Rules()
        else:
            granted = rules_held(spec.can)
        if known is not None:
            return known, partial(known.declare, granted, bounds, anew=anew)
        # What is granted everything in words is still recorded, if anything is.
        is_free = spec.can is None or (granted.is_everything and self._recorder is None)
        if is_free and all(bound.rules.is_everything for bound in bounds):
            return None, _nothing
        made = Authority(
            spec.id, granted, bounds, self._events, self.now, self._recorder
        )
        made.close(self._closed)
        return made, partial(self._by_name.__setitem__, spec.id, made)

    def cuts_of(self, name: ComponentId) -> tuple[Cut, ...]:
        """Return what was taken from an actor so far."""
        found = self._by_name.get(name)
        return () if found is None else found.cuts

    def find(self, name: ComponentId) -> Authority | None:
        """Return the authority of a name; None if nothing restricts it, or there is none."""
        return self._by_name.get(name)

    def release(self, name: ComponentId) -> None:
        """Note that a name was given up; what was changed at run time is still kept.

        The actor may come back, when its supervisor is restarted. What it lent ends.
        """
        gone = self._by_name.get(name)
        if gone is None:
            return
        gone.leave()
        if gone.is_as_declared:
            gone.take_account()
            del self._by_name[name]

    def __iter__(self) -> Iterator[Authority]:
        return iter(tuple(self._by_name.values()))

    def take_account(self) -> None:
        """Record what was allowed since the last time, counted."""
        for each in self:
            each.take_account()

    def close(self, why: str | None) -> None:
        """Refuse every access of restricted actors, for a reason; None: decide again."""
        self._closed = why
        for each in self:
            each.close(why)

    def expire(self) -> float:
        """Drop what has expired; returns when something expires next, or inf."""
        now = self.now()
        return min((each.expire(now) for each in self), default=math.inf)


def _nothing() -> None:
    """Nothing restricts it, so nothing has to be noted."""
