"""The callbacks that wait for an actor: the answers to its requests."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from airssys.contracts import Callback


@final
class CallbackQueue:
    """A part of a mailbox: callbacks, which are taken alternately with messages.

    They need no room: there are never more of them than the actor has requests open.
    """

    __slots__ = ("_owes_message", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Callback] | tuple[()] = ()
        """In order of arrival. Most actors make no requests, and need no deque."""
        self._owes_message = False
        """The last one taken was a callback: a message is next, if there is one."""

    def add(self, callback: Callback) -> None:
        """Add a callback at the end."""
        if not self.waiting:
            self.waiting = deque()
        self.waiting.append(callback)

    def take(self, *, has_messages: bool) -> Callback | None:
        """Remove the oldest one; None if a message is next, or if none waits."""
        if not self.waiting:
            return None
        self._owes_message = not (self._owes_message and has_messages)
        return self.waiting.popleft() if self._owes_message else None

    def remove(self, ids: set[str | None]) -> tuple[Callback, ...]:
        """Remove those with one of these correlation ids, and return them in order."""
        kept: deque[Callback] = deque()
        removed: list[Callback] = []
        for callback in self.waiting:
            (removed if callback.correlation_id in ids else kept).append(callback)
        self.waiting = kept
        return tuple(removed)

    def clear(self) -> None:
        """Remove all."""
        self.waiting = ()
