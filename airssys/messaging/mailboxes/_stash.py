"""The messages that an actor has set aside, to be handled again later."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import StashFull

if TYPE_CHECKING:
    from airssys.contracts import ComponentId, Envelope


@final
class Stash:
    """A part of a mailbox: messages in order, and how many of their bytes count."""

    __slots__ = ("messages", "weight")

    def __init__(self) -> None:
        self.messages: list[Envelope] | tuple[()] = ()
        """In the order in which they were set aside. Most actors set none aside, and
        need no list."""
        self.weight = 0
        """Bytes of the larger payloads."""

    def check(
        self, owner: ComponentId, capacity: int, most_bytes: int, weight: int | None
    ) -> None:
        """Make sure that one more message may be set aside.

        Args:
            owner: the actor.
            capacity: how many messages it may set aside.
            most_bytes: how many bytes, if there are several messages.
            weight: of the message in question; None if there is no message.

        Raises:
            StashFull: it may not.
        """
        if len(self.messages) >= capacity:
            raise StashFull(owner, capacity)
        if weight is not None and self.weight and self.weight + weight > most_bytes:
            raise StashFull(owner, capacity, most_bytes)

    def add(self, envelope: Envelope, weight: int) -> None:
        """Set a message aside."""
        if not self.messages:
            self.messages = []
        self.messages.append(envelope)
        self.weight += weight

    def empty(self) -> tuple[list[Envelope], int]:
        """Remove all messages. Return them and their weight."""
        messages, weight = list(self.messages), self.weight
        self.messages, self.weight = (), 0
        return messages, weight
