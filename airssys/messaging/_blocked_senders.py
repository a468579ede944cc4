"""Those whose message waits for room in a mailbox, and how they are told the end of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, final

import attrs
from outcome import Error
from trio.lowlevel import Task, reschedule

from airssys.contracts import Envelope

Recheck: TypeAlias = Callable[[Envelope], None]
"""Decides, when there is room at last, whether a message may still be delivered; raises
the error for its sender if not. Synchronous."""


def nothing() -> None:
    """Do nothing when a wait ends."""


class BlockedSender(Protocol):
    """Somebody whose message waits for room; told exactly once how that ended."""

    def admitted(self) -> None:
        """The message is in the queue now."""
        ...

    def refused(self, error: Exception) -> None:
        """The message was not delivered and will not be."""
        ...


def refusal(envelope: Envelope, recheck: Recheck | None) -> Exception | None:
    """Return why a message may not be delivered any more, None if it may."""
    if recheck is None:
        return None
    try:
        recheck(envelope)
    except Exception as error:  # noqa: BLE001  # a gate's bug is for the sender
        return error
    return None


@final
@attrs.define(eq=False)
class ParkedTask:
    """A sender whose task sleeps until its message is delivered or refused."""

    task: Task
    ended: Callable[[], None]

    def admitted(self) -> None:
        """Wake the task."""
        self.ended()
        reschedule(self.task)

    def refused(self, error: Exception) -> None:
        """Wake the task with the error."""
        self.ended()
        reschedule(self.task, Error(error))
