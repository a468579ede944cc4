"""What handles messages while the task of their actor stays parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from airssys.contracts import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.lowlevel import Task

    from airssys.contracts import Envelope

AtOnce: TypeAlias = "Callable[[Envelope, Task], bytes | Unanswered | None]"
"""Begins to handle a message without waiting, on behalf of the task that takes."""


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
