"""Why a message is refused, other than a full mailbox or a missing target."""

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
        problem = f"{size} bytes are too many for {target}, which accepts {limit}"
        advice = "Send less at once, or raise message_bytes of the target"
        super().__init__(problem, advice)


@final
class MessageExpired(MessagingError):
    """The message's time to live ended before it was delivered."""

    advice = "Give it a longer ttl, or find out what keeps the target busy"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        text = f"the ttl of the message to {self.target} ended before it was delivered"
        return self._with_advice(text)


@final
class Unwanted(AirssysError):
    """No asker waits for a message any more, and its call had not begun.

    Raised by `Guest.handle_message`; the instance is unchanged.
    """

    fault = Fault.SENDER
    advice = "Nothing is wrong with the guest; continue with the next message"

    def __init__(self, target: ComponentId) -> None:
        self.target = target
        super().__init__(target)

    def __str__(self) -> str:
        text = f"no asker waits for the message to {self.target} any more"
        return self._with_advice(text)


@final
class StashFull(MessagingError):
    """An actor has stashed as many messages as it may."""

    fault = Fault.ACTOR
    advice = "Handle some, or give the actor a larger mailbox"

    def __init__(
        self, actor: ComponentId, capacity: int, most_bytes: int | None = None
    ) -> None:
        self.actor, self.capacity = actor, capacity
        self.most_bytes = most_bytes
        """Set if there was room for another message, but not for its bytes."""
        super().__init__(actor, capacity, most_bytes)

    def __str__(self) -> str:
        if self.most_bytes is None:
            text = f"{self.actor} already has {self.capacity} messages in its stash"
        else:
            most = f"{self.most_bytes} bytes (mailbox_bytes)"
            text = f"{self.actor} would have more than {most} in its stash"
        return self._with_advice(text)
