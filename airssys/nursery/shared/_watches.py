"""Watches: notifications of the end of an actor.

A watch is for one end: that of the incarnation that is there, or comes next. An end
is noticed by the events of supervisors, which report the end of each incarnation once, and
by the address of an actor, which is closed when no incarnation follows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import (
    RESERVED_TYPES,
    ActorEnded,
    ChildExited,
    ChildStartFailed,
    ComponentId,
)

if TYPE_CHECKING:
    from airssys.contracts import Event
    from airssys.messaging import Registry

_LOG: Final = logging.getLogger("airssys")
ENDED: Final = RESERVED_TYPES + "ended"
"""The content type of the message that notifies an actor of the end of another."""


@final
@attrs.define(eq=False)
class Watch:
    """One request for a notification."""

    target: ComponentId
    on_end: Callable[[ActorEnded], None]
    is_pending: bool = True
    """It was not notified yet, and is not given up."""


@final
class Watches:
    """All watches of one system."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._by_target: dict[ComponentId, dict[Watch, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_target.values()))

    def add(self, target: ComponentId, on_end: Callable[[ActorEnded], None]) -> Watch:
        """Watch an actor; the end of one that is not there is reported at once.

        One that starts for the first time is there.
        """
        watch = Watch(target, on_end)
        if target in self._registry or self._registry.is_arriving(target):
            self._by_target.setdefault(target, {})[watch] = None
        else:
            watch.is_pending = False
            on_end(ActorEnded(target, None, restarting=False))
        return watch

    def discard(self, watch: Watch) -> None:
        """Watch no more; doing it again does nothing."""
        watch.is_pending = False
        watches = self._by_target.get(watch.target, {})
        watches.pop(watch, None)
        if not watches:
            self._by_target.pop(watch.target, None)

    def note(self, event: Event) -> None:
        """Look for ends among events; an `EventSink`."""
        if not self._by_target:
            return
        match event:
            case ChildExited() | ChildStartFailed(restarting=False):
                if (actor := event.actor) is not None:
                    end = ActorEnded(actor, event.reason, restarting=event.restarting)
                    self._notify(end)
            case _:
                pass

    def note_gone(self, target: ComponentId) -> None:
        """Notify the watches that are left that no actor of that name follows."""
        self._notify(ActorEnded(target, None, restarting=False))

    def _notify(self, end: ActorEnded) -> None:
        for watch in self._by_target.pop(end.actor, {}):
            watch.is_pending = False
            try:
                watch.on_end(end)
            except Exception:  # noqa: BLE001  # other watches have to be notified, and a supervisor waits
                _log_failure(watch)


def _log_failure(watch: Watch) -> None:
    with suppress(Exception):  # a handler or filter of the program's may fail as well
        _LOG.exception("a watch of %s was not notified of its end", watch.target)
