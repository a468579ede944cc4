"""The messages that wait for room in a mailbox, and their senders."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ComponentId, Envelope

    from ._blocked_senders import BlockedSender, Recheck

Blocked: TypeAlias = "tuple[BlockedSender, Envelope, Recheck | None]"
"""A sender that waits for room, its message, and the check before it is let in."""


@final
class BlockedMessages:
    """A part of a mailbox: messages in the order in which they found no room."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: dict[BlockedSender, Blocked] | None = None
        """None or empty if none waits, so that a mailbox need not call for that."""

    def add(
        self, sender: BlockedSender, envelope: Envelope, recheck: Recheck | None
    ) -> None:
        """Add a message at the end."""
        if not self.waiting:
            # A plain dict finds its first key the slower the more were deleted before.
            self.waiting = OrderedDict()
        self.waiting[sender] = (sender, envelope, recheck)

    def remove(self, sender: BlockedSender) -> bool:
        """Remove the message of a sender; False if it is not there any more."""
        waiting = self.waiting
        return waiting is not None and waiting.pop(sender, None) is not None

    def first(self) -> Blocked | None:
        """Return the message that has waited longest; None if none waits."""
        return next(iter(self.waiting.values())) if self.waiting else None

    def take_first(self, wanted: Callable[[Envelope], bool]) -> Blocked | None:
        """Remove and return the first that is wanted; None if there is none."""
        first = next((each for each in self.all() if wanted(each[1])), None)
        if first is not None:
            self.remove(first[0])
        return first

    def newest(self) -> Envelope | None:
        """Return the message that came last; None if none waits."""
        return next(reversed(self.waiting.values()))[1] if self.waiting else None

    def all(self) -> tuple[Blocked, ...]:
        """Return all of them, in order."""
        return tuple(self.waiting.values()) if self.waiting else ()

    def senders(self) -> tuple[ComponentId, ...]:
        """Return the names of the senders, in order."""
        return tuple(envelope.sender for _, envelope, _ in self.all())

    def clear(self) -> tuple[BlockedSender, ...]:
        """Remove all. Return their senders, in order."""
        senders = tuple(self.waiting or ())
        self.waiting = None
        return senders
