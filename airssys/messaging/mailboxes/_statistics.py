"""What a mailbox has counted: each message that reached it ends in one of the counts."""

from __future__ import annotations

import enum
from typing import Final, final

import attrs


class Ending(enum.Enum):
    """How a message ended that had reached a mailbox and was not handled."""

    FAILED = "failed"
    GIVEN_UP = "given up"
    DROPPED = "dropped"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    MOVED = "moved"


@final
@attrs.frozen(kw_only=True)
class MailboxStatistics:
    """How full a mailbox is at one moment, and what happened to every message that reached it.

    A message that a gate refused, or that was too large or too late, did
    not reach it.
    """

    queued: int
    """Messages in the queue; neither the one being handled nor those in the stash."""
    callbacks: int = 0
    """Callbacks that wait; they need no room, and otherwise count as messages."""
    stashed: int = 0
    """Messages that the actor has set aside."""
    in_hand: int = 0
    """1 while a message is being handled, else 0."""
    capacity: int
    high_water: int = 0
    """The most that were ever queued at once."""
    blocked_senders: int = 0
    """Senders that wait for room."""
    handled: int = 0
    failed: int = 0
    """The actor answered with an error and kept running."""
    given_up: int = 0
    """Dead letters."""
    dropped: int = 0
    """Dropped because there was no room."""
    refused: int = 0
    """Their senders got an error: there was no room, or the mailbox was closed."""
    withdrawn: int = 0
    """Their senders stopped waiting for room."""
    moved: int = 0
    """Given to another member of the same pool, where they arrive again."""

    @property
    def arrived(self) -> int:
        """All messages that ever reached the mailbox."""
        ended = self.handled + self.failed + self.given_up + self.dropped + self.moved
        undelivered = self.refused + self.withdrawn + self.blocked_senders
        waiting = self.queued + self.callbacks + self.stashed
        return ended + undelivered + waiting + self.in_hand


_NO_ENDS: Final = dict.fromkeys(Ending, 0)


@final
class Tally:
    """How many messages of one mailbox ended in each way but being handled."""

    __slots__ = ("_ends",)

    def __init__(self) -> None:
        self._ends: dict[Ending, int] | None = None
        """None before the first: most messages are handled."""

    def count(self, ending: Ending, messages: int = 1) -> None:
        """Count messages that ended in one way."""
        if self._ends is None:
            self._ends = {}
        self._ends[ending] = self._ends.get(ending, 0) + messages

    def statistics(self, **present: int) -> MailboxStatistics:
        """Put the counts together with the rest of what there is to say."""
        ends = dict.fromkeys(Ending, 0) | (self._ends or {})
        return MailboxStatistics(
            failed=ends[Ending.FAILED],
            given_up=ends[Ending.GIVEN_UP],
            dropped=ends[Ending.DROPPED],
            refused=ends[Ending.REFUSED],
            withdrawn=ends[Ending.WITHDRAWN],
            moved=ends[Ending.MOVED],
            **present,
        )
