"""The way of every message: gates, registry, mailbox; and the way of its answer back.

The order is the same for each message, and synchronous: the gates in their order, then the
name, then, for an actor that is going to wait, the graph of waits, then the mailbox. If
one of them refuses, the sender gets its error, and nothing was delivered.

A message that has to wait for room is delivered in the very step in which its receiver makes
room, after passing the gates and the registry once more. Between that decision and the
delivery nothing can change.
"""

from __future__ import annotations

import os
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

import attrs
import trio
from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint_if_cancelled,
    enable_ki_protection,
)

from airssys.contracts import (
    CalleeFailed,
    ComponentId,
    DeadLetter,
    DeadReason,
    Envelope,
    EventSink,
    MessageExpired,
    MessagingError,
    NoAnswer,
    Priority,
    Randomness,
    ReplySlot,
    TraceContext,
    Unanswered,
    WallClock,
)
from airssys.messaging.mailboxes import (
    JointWait,
    OverflowAction,
    Wait,
    WaitGraph,
    wait_for_room,
)
from airssys.messaging.pools import Pool, Recipient, first_that
from airssys.messaging.requests import PendingAsk, PendingRequests

from ._admission import Admission

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from airssys.contracts import CheckedOptions
    from airssys.messaging.mailboxes import Mailbox

    from ._registry import Registry

Answer: TypeAlias = "Callable[[], bool]"


def always() -> bool:
    """Return True."""
    return True


# What Envelope(...) does, but for a Python function in between.
_make = tuple.__new__

# To read a member off its class takes longer than to compare with it.
_BEGUN: Final = Unanswered.BEGUN
_NOT_BEGUN: Final = Unanswered.NOT_BEGUN


@final
@attrs.define(eq=False, repr=False)
class Broker:
    """Delivers messages between the actors of one system.

    It trusts the envelopes it is given: `sender` is set by the host, see `sign`. Messages of
    one sender to one target arrive in the order in which they were accepted.
    """

    admission: Admission
    """Decides to which mailbox a message may be delivered."""
    _events: EventSink = attrs.field(kw_only=True)
    _wall_clock: WallClock = attrs.field(kw_only=True)
    randomness: Randomness = attrs.field(kw_only=True, default=os.urandom)
    """For correlation ids, and for guests; by default the kernel's, as in `secrets`."""
    waits: WaitGraph = attrs.field(init=False, factory=WaitGraph)
    """Actors that wait for an answer or for room in a mailbox."""
    pending: PendingRequests = attrs.field(init=False)
    """Asks and requests in flight."""
    _recipients: dict[str, Recipient] = attrs.field(init=False)
    """Those of the registry."""

    def __attrs_post_init__(self) -> None:
        self._recipients = self.admission.registry.recipients
        self.pending = PendingRequests(self.waits, self._events, self.randomness)

    @property
    def registry(self) -> Registry:
        """The mailboxes and pools that can be reached, by name."""
        return self.admission.registry

    def keeps_up(self, target: ComponentId) -> bool:
        """Return whether few messages wait there, so that its senders need not pause."""
        return self.admission.keeps_up(target)

    @property
    def pending_count(self) -> int:
        """Asks and requests in flight."""
        return len(self.pending)

    def fresh_correlation_id(self) -> str:
        """Return an unguessable, unique name for a request."""
        return self.pending.fresh_id()

    def sign(  # noqa: PLR0913  # one for each field of an envelope
        self,
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        *,
        content_type: str | None = None,
        priority: Priority | None = None,
        expires_at: float | None = None,
        key: str | bytes | None = None,
        trace: TraceContext | None = None,
        correlation_id: str | None = None,
        reply_to: ComponentId | None = None,
        deadline: float | None = None,
        reply: ReplySlot | None = None,
    ) -> Envelope:
        """Make an envelope, stamped with the wall clock; does not send it.

        If it has a `reply` and no `correlation_id`, it gets a fresh one. `deadline` and
        `expires_at` are Trio time.
        """
        if reply is not None and correlation_id is None:
            correlation_id = self.fresh_correlation_id()
        return _make(
            Envelope,
            (
                target,
                sender,
                payload,
                content_type,
                correlation_id,
                reply_to,
                deadline,
                self._wall_clock(),
                reply,
                priority,
                expires_at,
                key,
                trace,
            ),
        )

    @enable_ki_protection
    def post(
        self,
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        trace: TraceContext | None,
    ) -> None:
        """Sign and `tell` a message without options, in one step.

        Raises:
            MessagingError: as for `tell`.
        """
        envelope = _make(
            Envelope,
            (
                target,
                sender,
                payload,
                None,
                None,
                None,
                None,
                self._wall_clock(),
                None,
                None,
                None,
                None,
                trace,
            ),
        )
        admission = self.admission
        recipient = self._recipients.get(target.text)
        # As in `admit`: a call of it would be paid for by every message.
        if (
            recipient is None
            or admission.gates
            or len(payload) > recipient.unexamined_bytes
        ):
            recipient = admission.admit(envelope)
        if not recipient.offer(envelope):
            self._overflow(recipient, envelope, may_wait=False)

    @enable_ki_protection
    def tell(self, envelope: Envelope) -> None:
        """Deliver a message now or not at all; never waits.

        Raises:
            MessagingError: a gate refused it.
            TargetNotFound: there is no actor or pool of that name.
            MessageTooLarge, MessageExpired: the target does not accept it.
            InvalidMessage: the target does not take its codec; see `examine_codec`.
            MailboxFull: there is no room, or others wait for it, and the mailbox's
                policy for its priority does not drop it or make it a dead letter.
        """
        mailbox = self.admission.admit(envelope)
        if not mailbox.offer(envelope):
            self._overflow(mailbox, envelope, may_wait=False)

    @enable_ki_protection
    async def send(self, envelope: Envelope, is_held_up: Answer = always) -> None:
        """Deliver a message as soon as there is room. The sender counts as waiting till then.

        A checkpoint. If it is cancelled the message was not delivered.

        Args:
            envelope: the message.
            is_held_up: says, if it has to wait, whether its sender can do nothing else
                meanwhile; otherwise it does not count as waiting.

        Raises:
            MessagingError: a gate refused it, at first or after it had to wait.
            TargetNotFound: there is no actor or pool of that name, or not any more.
            RequestWouldDeadlock: there is no room, and the target waits, directly or
                through other actors, for the sender.
            MessageTooLarge, InvalidMessage: the target does not accept it.
            MessageExpired: its time to live was over before there was room.
            MailboxFull: there is no room, and the mailbox's policy is to fail.
        """
        await checkpoint_if_cancelled()
        mailbox = self.admission.admit(envelope)
        if mailbox.offer(envelope) or not self._overflow(
            mailbox, envelope, may_wait=True
        ):
            await cancel_shielded_checkpoint()
            return
        await self._wait_for_room(mailbox, envelope, is_held_up=is_held_up())

    @enable_ki_protection
    def offer(self, envelope: Envelope) -> bool:
        """Deliver a message if there is room, whatever the mailbox's policy says.

        Returns:
            Whether it was delivered; otherwise it counts as refused.

        Raises:
            MessagingError: a gate refused it, or the target does not accept it.
        """
        mailbox = self.admission.admit(envelope)
        is_in = mailbox.offer(envelope)
        if not is_in:
            mailbox.count_refused()
        return is_in

    @enable_ki_protection
    def join(
        self,
        joint_wait: JointWait,
        envelope: Envelope,
        refused: Callable[[Exception], None],
        *,
        always_waits: bool = False,
    ) -> None:
        """Deliver a message now, or let it wait for room in a joint wait; does not wait itself.

        Args:
            joint_wait: messages of the same sender, who waits for all of them together.
            envelope: the message.
            refused: called if it had to wait and is not delivered.
            always_waits: whatever the mailbox's policy says.

        Raises:
            MessagingError: as for `send`.
        """
        recipient = self.admission.admit(envelope)
        if recipient.offer(envelope):
            return
        if always_waits or self._overflow(recipient, envelope, may_wait=True):
            recheck = partial(self.admission.admit_again, recipient, envelope)
            mailbox, envelope, edge = self._begin_to_wait(
                recipient, envelope, is_held_up=joint_wait.holds_up
            )
            joint_wait.join(mailbox, envelope, recheck, edge, refused)

    @enable_ki_protection
    async def ask(
        self,
        target: ComponentId,
        sender: ComponentId,
        payload: bytes,
        *,
        timeout: float,  # noqa: ASYNC109  # all asks share one scope
        waiter: ComponentId | None,
        useless_after: float | None = None,
        **options: Unpack[CheckedOptions],
    ) -> bytes | None:
        """Deliver a message and wait for its answer; None if the handler returned None.

        A checkpoint. If it is cancelled or times out while there is no room, the message was
        not delivered. If it is later, the callee is notified.

        Args:
            target: the actor or pool to ask.
            sender: the actor that asks.
            payload: the question.
            timeout: seconds for room in the mailbox and the answer together, 0 or more;
                `math.inf`: as long as it takes.
            waiter: the actor that waits; None for a task outside of all actors, for which
                no actor can wait.
            useless_after: Trio time at which it times out if `timeout` is longer.
            **options: see `CheckedOptions`.

        Raises:
            AskTimedOut, CalleeFailed: there is no answer.
            MessagingError: as for `send`, at first or after it had to wait.
            MailboxFull, DeliveryFailed: there is no room, or it was dropped for a newer
                message; or the timeout is finite and `run` does not run.
            ValueError: the timeout is negative or NaN.
        """
        await checkpoint_if_cancelled()
        ask = self.pending.new_ask(sender, target, waiter, timeout, useless_after)
        envelope = self.sign(
            target,
            sender,
            payload,
            correlation_id=ask.correlation_id,
            deadline=None if ask.deadline == inf else ask.deadline,
            reply=ask,
            **options,
        )
        answer = self._deliver_ask(ask, envelope)
        if answer is _BEGUN:
            return await ask.wait()
        await cancel_shielded_checkpoint()
        return answer

    @enable_ki_protection
    def dead_letter(
        self,
        envelope: Envelope,
        why: str,
        error: BaseException | None = None,
        reason: DeadReason | None = None,
        refusal: MessagingError | None = None,
    ) -> None:
        """Give up a message that was delivered and will not be handled, and report it.

        Observers get a `DeadLetter`, the asker, if one still waits, `CalleeFailed`.

        Args:
            envelope: the message.
            why: one line for people.
            error: the error that its actor crashed with while handling it.
            reason: as one word; by default that it crashed, if there is an error, or
                was stopped.
            refusal: what the asker gets instead of `CalleeFailed`, if the message was not begun.
        """
        if reason is None:
            reason = DeadReason.STOPPED if error is None else DeadReason.CRASHED
        self._events(DeadLetter.of(envelope, why, reason))
        if envelope.reply is not None and refusal is not None:
            envelope.reply.fail(refusal)
        elif envelope.reply is not None:
            why_not = NoAnswer.STOPPED if error is None else NoAnswer.CRASHED
            envelope.reply.fail(CalleeFailed(envelope.target, why, why_not, error))

    async def run(  # noqa: ASYNC128  # serve() calls it
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """End asks whose time is up; to be started before the actors, and cancelled last.

        When it is cancelled, asks that are still pending fail with `CalleeFailed`.

        Raises:
            RuntimeError: it runs already.
        """
        await self.pending.serve(task_status=task_status)

    def _deliver_ask(
        self, ask: PendingAsk, sent: Envelope
    ) -> bytes | Literal[Unanswered.BEGUN] | None:
        """Deliver the message of an ask, or let it wait for room.

        Returns the answer if the target gave it in this step; otherwise the ask waits.
        """
        recipient, envelope = self.admission.admit(sent), sent
        if isinstance(recipient, Pool):
            mailbox, envelope, _ = first_that(recipient, envelope, ask.begin_for)
        else:
            mailbox = recipient
            if mailbox.at_once is not None and ask.timeout > 0:
                answer = mailbox.hand_over(envelope)
                if answer is _BEGUN:
                    # Its actor was idle, so it waits for no other and nothing refuses this.
                    ask.begin()
                if answer is not _NOT_BEGUN:
                    return answer
            ask.begin()
        try:
            if mailbox.offer(envelope) or not self._overflow(
                mailbox, envelope, may_wait=True
            ):
                return _BEGUN
        except MessagingError:
            ask.withdraw()
            raise
        ask.block_at(mailbox)
        mailbox.block(
            ask, envelope, partial(self.admission.admit_again, recipient, sent)
        )
        return _BEGUN

    async def _wait_for_room(
        self, recipient: Recipient, envelope: Envelope, *, is_held_up: bool
    ) -> None:
        recheck = partial(self.admission.admit_again, recipient, envelope)
        mailbox, envelope, edge = self._begin_to_wait(
            recipient, envelope, is_held_up=is_held_up
        )
        wait = partial(
            wait_for_room,
            mailbox,
            envelope,
            recheck=recheck,
            ended=edge.end,
            turned=edge.turn_to,
        )
        if envelope.expires_at is None:
            await wait()
            return
        with trio.CancelScope(deadline=envelope.expires_at) as scope:
            await wait()
        if scope.cancelled_caught:
            raise MessageExpired(envelope.target)

    def _begin_to_wait(
        self, recipient: Recipient, envelope: Envelope, *, is_held_up: bool
    ) -> tuple[Mailbox, Envelope, Wait]:
        """Find where a message may wait for room; its sender waits from now on."""
        begin = partial(Wait, self.waits, envelope.sender if is_held_up else None)
        try:
            if isinstance(recipient, Pool):
                return first_that(recipient, envelope, begin)
            return recipient, envelope, begin(envelope.target)
        except MessagingError:
            recipient.count_refused()
            raise

    def _overflow(
        self, mailbox: Recipient, envelope: Envelope, *, may_wait: bool
    ) -> bool:
        """Apply the mailbox's policy to a message; True if it shall wait."""
        action = mailbox.overflow(envelope, may_wait=may_wait)
        if action is OverflowAction.DEAD_LETTER:
            self.dead_letter(envelope, "there was no room", reason=DeadReason.NO_ROOM)
        return action is OverflowAction.WAIT
