"""One round of stopping and starting: who is next. Pure.

Children stop one at a time and then start one at a time, in the order that was planned.
A round says only who is next; it does not know how one stops or starts.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Iterable

_S = TypeVar("_S")


class Aim(enum.Enum):
    """What a round is for."""

    OPENING = "start all children for the first time"
    RESTART = "restart those that share a restart"
    CLEARING = "stop those that wait for a restart that is due later"
    ADMISSION = "start one child by request"
    CLOSING = "stop all children for good"


class Act(enum.Enum):
    """What is next for a child."""

    STOP = "stop it"
    START = "start it"


@final
class Round(Generic[_S]):
    """Children that still have to stop, then children that still have to start."""

    def __init__(
        self,
        aim: Aim,
        to_stop: Iterable[_S] = (),
        to_start: Iterable[_S] = (),
        *,
        returning: Iterable[_S] = (),
    ) -> None:
        self.aim = aim
        self._to_stop, self._to_start = deque(to_stop), deque(to_start)
        self.returning = set(returning)
        """Those that keep their name and mailbox while they are down."""
        self.current: _S | None = None
        """The one that stops or starts now."""

    def next(self) -> tuple[Act, _S] | None:
        """Go on to the next child; None when none is left."""
        if self._to_stop:
            act, queue = Act.STOP, self._to_stop
        elif self._to_start:
            act, queue = Act.START, self._to_start
        else:
            self.current = None
            return None
        self.current = queue.popleft()
        return act, self.current

    def drop(self, member: _S) -> None:
        """Do not start this one, if that is still ahead."""
        self.returning.discard(member)
        if member in self._to_start:
            self._to_start.remove(member)

    def still_to_start(self) -> Iterable[_S]:
        """Return those whose turn to start has not come yet, in order."""
        return tuple(self._to_start)
