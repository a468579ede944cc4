"""What happens to a message that finds a mailbox full."""

from __future__ import annotations

import enum
from typing import Final, Literal, TypeAlias, final

import attrs

from ._limits import MIB

DEFAULT_MESSAGE_BYTES: Final = MIB
"""Bytes of payload that one message may have."""
DEFAULT_MAILBOX_BYTES: Final = 16 * MIB
"""Bytes of payload that may queue."""


class Priority(enum.Enum):
    """How important a message is when there is no room. It does not affect order."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    CRITICAL = "critical"


PriorityWord: TypeAlias = Priority | Literal["low", "normal", "high", "critical"]


class Overflow(enum.Enum):
    """What happens to a message for which there is no room.

    An ask is refused where another message would be dropped, because its asker waits.
    """

    BLOCK = "block"
    """Its sender waits for room; one that never waits (`tell`) gets `MailboxFull`."""
    FAIL = "fail"
    """Its sender gets `MailboxFull` at once."""
    DROP_NEWEST = "drop-newest"
    """It is dropped and counted; its sender is not notified."""
    DROP_OLDEST = "drop-oldest"
    """The oldest queued message that has this policy too is dropped to make room. If
    there is none, the new message is dropped. Messages with another policy are never
    dropped."""
    DEAD_LETTER = "dead-letter"
    """It becomes a dead letter; its sender is not notified."""


@final
@attrs.frozen(kw_only=True)
class OverflowRules:
    """The policy of one mailbox for messages of each priority."""

    unmarked: Overflow = Overflow.BLOCK
    """For messages whose sender named no priority."""
    low: Overflow = Overflow.DROP_NEWEST
    normal: Overflow = Overflow.FAIL
    high: Overflow = Overflow.BLOCK
    critical: Overflow = Overflow.BLOCK

    def policy_of(self, priority: Priority | None) -> Overflow:
        """Return the policy for one message."""
        match priority:
            case None:
                return self.unmarked
            case Priority.LOW:
                return self.low
            case Priority.NORMAL:
                return self.normal
            case Priority.HIGH:
                return self.high
            case Priority.CRITICAL:
                return self.critical


OverflowPolicy: TypeAlias = Overflow | OverflowRules
"""One policy for all messages, or one for each priority."""


def rules_of(policy: OverflowPolicy) -> OverflowRules:
    """Expand a policy into one for each priority."""
    if isinstance(policy, OverflowRules):
        return policy
    return OverflowRules(
        unmarked=policy, low=policy, normal=policy, high=policy, critical=policy
    )
