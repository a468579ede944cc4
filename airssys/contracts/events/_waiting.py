"""Which actor waits for which, as a value."""

from __future__ import annotations

from typing import final

import attrs

from airssys.contracts.values import ComponentId


@final
@attrs.frozen(order=True)
class Waiting:
    """One actor waits for another, at one moment.

    The waits of all actors never form a cycle, because a wait that would close one is
    refused. The program around the system waits too, under the name `local/outside/0`.
    """

    waiter: ComponentId
    target: ComponentId
    for_answer: int = 0
    """Messages to the target whose answers the waiter waits for."""
    for_room: int = 0
    """Messages that wait for room in the target's mailbox."""

    def __str__(self) -> str:
        """Describe what the wait is for, e.g. `local/b/0 (2 answers, room)`."""
        both = ((self.for_answer, "answer"), (self.for_room, "room"))
        parts = [_counted(number, what) for number, what in both if number]
        return f"{self.target} ({', '.join(parts)})"


def _counted(number: int, what: str) -> str:
    if number == 1:
        return what
    return f"{number} {what}s" if what == "answer" else f"{what} for {number}"
