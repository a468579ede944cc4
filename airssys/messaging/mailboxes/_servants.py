"""What handles messages while the task of their actor stays parked, or is not there yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from trio.lowlevel import Task, reschedule

from airssys.contracts import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Error

    from airssys.contracts import Envelope

AtOnce: TypeAlias = "Callable[[Envelope, object], bytes | Unanswered | None]"
"""Begins to handle a message without waiting, on behalf of the one that takes."""


# To read a member off its class takes longer than to compare with it.
BEGUN: Final = Unanswered.BEGUN
NOT_BEGUN: Final = Unanswered.NOT_BEGUN


class Servant(Protocol):
    """Handles what is queued while the task of its actor stays parked in `Mailbox.take`."""

    def note_due(self) -> None:
        """Take note that there is something to handle; must not take it yet.

        Called once. It is called again after `Mailbox.expect`.
        """
        ...


class Dormant(Protocol):
    """An actor that needs no task before there is something to do in one."""

    def wake(self) -> None:
        """Go on in a task. Called once."""
        ...


def wake(waiting: Task | Dormant, error: Error | None = None) -> None:
    """Let an actor go on; a task that is parked goes on with the error, if there is one."""
    if not isinstance(waiting, Task):
        waiting.wake()
    elif error is None:
        reschedule(waiting)
    else:
        reschedule(waiting, error)
