"""What a message is refused for besides a full mailbox and a missing target."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from ._base import AirssysError, Fault
from ._messages import InvalidMessage, MessagingError

if TYPE_CHECKING:
    from airssys.contracts.values import ComponentId


@final
class MessageTooLarge(InvalidMessage):
    """The payload is larger than its target takes."""

    def __init__(self, target: ComponentId, size: int, limit: int) -> None:
        self.target, self.size, self.limit = target, size, limit
        """`size` and `limit` in bytes."""
        problem = f"{size} bytes are too many for {target}, which takes {limit}"
        advice = "Send less at once, or give the target a larger message_bytes"
        super().__init__(problem, advice)


@final
class MessageExpired(MessagingError):
    """The message's time to live was over before it was delivered."""

    advice = "Give it a longer ttl, or find out what keeps the target busy"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        text = f"the message to {self.target} outlived its ttl before it was delivered"
        return self._with_advice(text)


@final
class Unwanted(AirssysError):
    """Nobody waits for a message any more, and its call was not begun.

    Raised by `Guest.handle_message`; the instance is as it was.
    """

    fault = Fault.SENDER
    advice = "Nothing is wrong with the guest; go on with the next message"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        text = f"nobody waits for the message to {self.target} any more"
        return self._with_advice(text)


@final
class StashFull(MessagingError):
    """An actor has set aside as many messages as it may."""

    fault = Fault.ACTOR
    advice = "Handle some, or give the actor a larger mailbox"

    def __init__(
        self, actor: ComponentId, capacity: int, most_bytes: int | None = None
    ) -> None:
        self.actor, self.capacity = actor, capacity
        self.most_bytes = most_bytes
        """Set if it may set aside another message, but not so many bytes."""
        super().__init__(actor, capacity, most_bytes)

    def __str__(self) -> str:
        if self.most_bytes is None:
            text = f"{self.actor} has {self.capacity} messages in its stash already"
        else:
            most = f"{self.most_bytes} bytes (mailbox_bytes)"
            text = f"{self.actor} would have more than {most} in its stash"
        return self._with_advice(text)
