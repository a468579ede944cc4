"""Those whose message waits for room in a mailbox, and how they are told the end of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, final

import attrs
from outcome import Error
from trio.lowlevel import (
    Abort,
    Task,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from airssys.contracts import ComponentId, Envelope

Recheck: TypeAlias = Callable[[Envelope], None]
"""Decides, when there is room at last, whether a message may still be delivered; raises
the error for its sender if not. Synchronous."""


Parking: TypeAlias = Callable[[Callable[[Any], Abort]], Awaitable[object]]
"""Waits until rescheduled, as `wait_task_rescheduled` does."""


def nothing() -> None:
    """Do nothing when a wait ends."""


def stay(_: ComponentId) -> None:
    """Do nothing when a wait turns to somebody else."""


class BlockedSender(Protocol):
    """Somebody whose message waits for room; told exactly once how that ended."""

    def admitted(self) -> None:
        """The message is in the queue now."""
        ...

    def refused(self, error: Exception) -> None:
        """The message was not delivered and will not be."""
        ...


class WaitingRoom(Protocol):
    """Where messages wait for room: a mailbox."""

    def block(
        self, sender: BlockedSender, envelope: Envelope, recheck: Recheck | None, /
    ) -> None:
        """Let a message wait."""
        ...

    def unblock(self, sender: BlockedSender, /) -> bool:
        """Let it wait no longer; False if it did not."""
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
    mailbox: WaitingRoom
    """Where it waits."""
    ended: Callable[[], None]
    turned: Callable[[ComponentId], None]

    def turn_to(self, mailbox: WaitingRoom, owner: ComponentId) -> None:
        """Wait elsewhere from now on, where the caller lets it wait.

        Raises:
            RequestWouldDeadlock: it may not; nothing was changed.
        """
        self.turned(owner)
        self.mailbox = mailbox

    def admitted(self) -> None:
        """Wake the task."""
        self.ended()
        reschedule(self.task)

    def refused(self, error: Exception) -> None:
        """Wake the task with the error."""
        self.ended()
        reschedule(self.task, Error(error))


@enable_ki_protection
async def wait_for_room(
    mailbox: WaitingRoom,
    envelope: Envelope,
    recheck: Recheck | None = None,
    ended: Callable[[], None] = nothing,
    turned: Callable[[ComponentId], None] = stay,
) -> None:
    """Park the calling task until its message is delivered; only while `is_full`.

    If it is cancelled the message was not delivered.

    Args:
        mailbox: where it waits.
        envelope: the message.
        recheck: asked when there is room; see `Mailbox.block`.
        ended: called once, in the step in which the wait ends, however it does; the
            sender's task itself runs only later.
        turned: called when it is to wait for another one; may raise that it may not.

    Raises:
        TargetNotFound: the mailbox was closed meanwhile.
        Exception: what `recheck` raised.
    """
    parked = ParkedTask(current_task(), mailbox, ended, turned)

    def abort(_: object) -> Abort:
        parked.mailbox.unblock(parked)
        ended()
        return Abort.SUCCEEDED

    mailbox.block(parked, envelope, recheck)
    await wait_task_rescheduled(abort)
