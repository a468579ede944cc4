"""Senders whose message waits for room in a mailbox, and how they learn its outcome."""

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

from ._waits import Wait

Recheck: TypeAlias = Callable[[Envelope], None]
"""Decides, when there is room at last, whether a message may still be delivered; raises
the error for its sender if not. Synchronous."""


Parking: TypeAlias = Callable[[Callable[[Any], Abort]], Awaitable[object]]
"""Waits until rescheduled, as `wait_task_rescheduled` does."""


def nothing() -> None:
    """Do nothing when a wait ends."""


def stay(_: object) -> None:
    """Do nothing when a wait turns to another mailbox."""


class BlockedSender(Protocol):
    """A sender whose message waits for room. Exactly one of its methods is called, once."""

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
        """Let it wait no longer; False if it did not wait."""
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
        turned: called when it is to wait in another mailbox; may raise an error to refuse.

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


@final
class JointWait:
    """Messages of one sender that wait for room at once, each in a mailbox of its own."""

    def __init__(self, *, holds_up: bool = True) -> None:
        self.holds_up = holds_up
        """Its sender can do nothing else while they wait."""
        self._rooms: dict[JointWaiter, WaitingRoom] = {}
        """Where each of those waits that still do."""
        self._task: Task | None = None
        """The sender's, while it is parked in `wait`."""

    @property
    def is_empty(self) -> bool:
        """Whether none waits."""
        return not self._rooms

    def join(
        self,
        mailbox: WaitingRoom,
        envelope: Envelope,
        recheck: Recheck,
        edge: Wait,
        refused: Callable[[Exception], None],
    ) -> None:
        """Let one message wait; only while `is_full`.

        Args:
            mailbox: where it waits.
            envelope: the message.
            recheck: asked when there is room; see `Mailbox.block`.
            edge: that its sender waits; ended here.
            refused: called if it is not delivered, but not if it was let go by `leave`.
        """
        member = JointWaiter(self, edge, refused)
        self._rooms[member] = mailbox
        mailbox.block(member, envelope, recheck)

    @enable_ki_protection
    async def wait(self) -> None:
        """Park until none of them waits any more; if it is cancelled, they wait on."""
        if self._rooms:
            self._task = current_task()
            await wait_task_rescheduled(self._abort)

    @enable_ki_protection
    def leave(self) -> None:
        """Let those that still wait go: they are not delivered."""
        for member, mailbox in tuple(self._rooms.items()):
            mailbox.unblock(member)
            self.note_end(member)

    def move(self, member: JointWaiter, mailbox: WaitingRoom) -> None:
        """Take note that one waits elsewhere from now on."""
        self._rooms[member] = mailbox

    def note_end(self, member: JointWaiter) -> None:
        """Take note that one waits no longer."""
        del self._rooms[member]
        member.edge.end()
        if self._task is not None and not self._rooms:
            task, self._task = self._task, None
            reschedule(task)

    def _abort(self, _: object) -> Abort:
        self._task = None
        return Abort.SUCCEEDED


@final
@attrs.define(eq=False)
class JointWaiter:
    """One message of a joint wait (implements `BlockedSender`)."""

    joint_wait: JointWait
    edge: Wait
    on_refusal: Callable[[Exception], None]

    def turn_to(self, mailbox: WaitingRoom, owner: ComponentId) -> None:
        """Wait elsewhere from now on, where the caller lets it wait.

        Raises:
            RequestWouldDeadlock: it may not; nothing was changed.
        """
        self.edge.turn_to(owner)
        self.joint_wait.move(self, mailbox)

    def admitted(self) -> None:
        """Take note that it is in the queue."""
        self.joint_wait.note_end(self)

    def refused(self, error: Exception) -> None:
        """Report that it was not delivered."""
        self.joint_wait.note_end(self)
        self.on_refusal(error)
