"""One incarnation of an actor: take a message, handle it, answer, one at a time.

The loop belongs to the actor, what it does with a message to its behaviour: a guest or
Python code, behind one interface. A message ends in one of these ways here:

* handled: the asker, if there is one, gets the answer;
* refused by the actor (`GuestRejected`, or an error that it resumes from) or by the
  machine (`CapacityReached`): the asker gets `CalleeFailed`, observers `MessageFailed`,
  and the actor lives on; the same when it was cut off at its deadline, except that its
  asker times out at that moment, or when its asker stopped waiting;
* its deadline or its time to live was over before it was taken, or its asker had stopped
  waiting: a dead letter, not handled;
* set aside by the actor (`ActorContext.stash`): it is not over, and comes again;
* the actor crashed or was killed with it in hand: a dead letter. What is still queued
  stays in the mailbox, which outlives this incarnation.

Messages are taken without a checkpoint while there are any. The loop checks in with
Trio every `MESSAGES_PER_TURN` messages or `SECONDS_PER_TURN`, so that a full mailbox
does not hold the thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, final

import attrs
import trio

from airssys.contracts import (
    BrutalKill,
    CalleeFailed,
    CapacityReached,
    ComponentInfo,
    DeadReason,
    DeliveryFailed,
    Directive,
    Envelope,
    GuestRejected,
    HealthStatus,
    MessageFailed,
    NoAnswer,
)
from airssys.messaging import Ending

from ._exit_reason import Stop, describe, find_escapee
from ._prober import Prober
from ._restart_plan import directive_for

if TYPE_CHECKING:
    from airssys.contracts import ActorSpec, ComponentSpec

    from ._address import Address

MESSAGES_PER_TURN: Final = 64
SECONDS_PER_TURN: Final = 0.001
"""Seconds of the thread, not of Trio's clock."""


class Behaviour(Protocol):
    """What one incarnation of an actor does; made afresh for each."""

    @property
    def wants_to_end(self) -> bool:
        """The actor wishes to end, after the message in hand."""
        ...

    async def start(self) -> None:
        """Become ready to handle messages."""
        ...

    async def handle(
        self, envelope: Envelope, scope: trio.CancelScope, /
    ) -> bytes | None:
        """Handle one message and return the answer, None if there is nothing to say.

        A behaviour that does not keep the envelope's deadline by itself gives it to
        `scope` before it suspends; the loop takes it away again.
        """
        ...

    async def health(self) -> HealthStatus:
        """Say how the actor is, between two messages; only of one that is probed."""
        ...

    def hear_stop(self) -> None:
        """Hear that it is asked to stop, perhaps in the middle of a message."""
        ...

    async def stop(self) -> None:
        """Say goodbye: called when it ends on purpose, without a message in hand."""
        ...

    def close(self) -> None:
        """Give everything back at once; called however it ends, started or not."""
        ...


@final
@attrs.define(eq=False)
class Successor:
    """A behaviour that was started and is to go on in the place of another one."""

    behaviour: Behaviour
    info: ComponentInfo
    """What it tells of itself; its health is what was found out."""
    commit: Callable[[], None]
    """Called in the step in which it takes over."""
    predecessor: Behaviour | None = None
    """Set in that step."""
    settled: trio.Event = attrs.Factory(trio.Event)
    """It took over, or it never will."""


@final
class Actor:
    """One incarnation of an actor: an occupation."""

    def __init__(
        self,
        address: Address,
        behaviour: Behaviour,
        spec: ActorSpec | ComponentSpec,
    ) -> None:
        self._address, self._behaviour, self._spec = address, behaviour, spec
        self._mailbox = address.mailbox
        self._scope = trio.CancelScope()
        """Around its start, and then around serving its mailbox."""
        self._is_started = False
        self._is_stopping = False
        self._prober: Prober | None = None
        """None before it is ready, and if nobody wants to know how it is."""
        self._successor: Successor | None = None
        """Takes over after the call in hand."""
        self._may_take: float = math.inf
        """Messages that it may take before `_goes_on` is asked again."""
        self._owed: dict[int, Envelope] | None = None
        """What it still handles before it ends, by `id`; None: it does not end."""

    def stop_soon(self) -> None:
        """Ask it to end after the message in hand; one that still starts is cut off.

        One that drains first handles what its mailbox holds now, but nothing that comes
        later; what it has set aside only if it takes it back.
        """
        self._is_stopping = True
        self._behaviour.hear_stop()
        drains = self._spec.drain and self._is_started
        held = self._mailbox.contents() if drains else ()
        self._owed = {id(envelope): envelope for envelope in held}
        # One that was woken for a message already handles it, and then ends.
        is_parked = self._mailbox.is_awaited or not self._is_started
        if is_parked and not (self._is_busy or self._goes_on):
            self._scope.cancel()

    @property
    def has_successor(self) -> bool:
        """Whether another behaviour waits to take over."""
        return self._successor is not None

    async def hand_over(self, successor: Successor) -> Behaviour | None:
        """Let another behaviour take over after the call in hand; only while it runs.

        Returns:
            The old behaviour, for the caller to stop and to close; None if this
            incarnation is to end first. If the wait is cancelled nothing was changed.
        """
        if self._is_stopping:
            return None
        self._successor = successor
        if not self._is_busy:
            self._change_over()
        try:
            if not successor.settled.is_set():
                await successor.settled.wait()
        finally:
            if self._successor is successor:
                self._successor = None
        return successor.predecessor

    def _change_over(self) -> None:
        """Go on by the successor; only between two calls."""
        successor, self._successor = self._successor, None
        if successor is None:
            return
        address, infos = self._address, self._address.around.infos
        successor.predecessor = self._behaviour
        self._behaviour = successor.behaviour
        told = HealthStatus(successor.info.health)
        before = infos[address.id].health
        infos[address.id] = attrs.evolve(successor.info, health=before)
        if (health := self._spec.health) is not None:
            self._prober = Prober(health, self._spec.on_error, address, told)
        successor.commit()
        successor.settled.set()

    async def run(self, ready: Callable[[], None]) -> None:
        """Start, serve the mailbox, end.

        Raises:
            Stop: the actor ended itself.
            NameTaken: another actor has its name; its code did not run.
            Exception: it crashed.
        """
        try:
            self._address.check_free()
            with self._scope:
                await self._behaviour.start()
                self._is_started = True
            if not self._is_started:
                return
            self._address.open()
            if (health := self._spec.health) is not None:
                self._prober = Prober(health, self._spec.on_error, self._address)
            ready()
            while self._goes_on:
                await self._serve()
            await self._say_goodbye()
        except BaseException as error:
            if _is_cancellation(error):
                self._give_up_message("its actor was cancelled")
                raise
            self._give_up_message(f"its actor ended: {describe(error)}", error)
            if (escapee := find_escapee(error)) is not None:
                self._address.around.on_escape(escapee)
            raise
        finally:
            self._close()
        if not self._is_stopping:
            raise Stop("stopped itself")

    def _close(self) -> None:
        self._behaviour.close()
        if self._successor is not None:
            self._successor.settled.set()

    @property
    def _is_busy(self) -> bool:
        """There is a call into its code, which would not survive being cut off."""
        is_probing = self._prober is not None and self._prober.is_probing
        return is_probing or self._mailbox.in_hand is not None

    @property
    def _goes_on(self) -> bool:
        if self._owed is not None:
            self._may_take = int(self._mailbox.has_waiting(self._owed))
        return self._may_take > 0 and not self._behaviour.wants_to_end

    async def _say_goodbye(self) -> None:
        if not isinstance(self._spec.shutdown, BrutalKill):
            # A supervisor that asked keeps this time itself; nobody else would.
            with trio.move_on_after(self._spec.shutdown):
                await self._behaviour.stop()

    async def _serve(self) -> None:
        """Serve the mailbox until it is time to stop or a message was cut off.

        One scope serves many messages, because opening one costs as much as half an
        ask; it is replaced after it cut one off.
        """
        with trio.CancelScope() as self._scope:
            await self._serve_within(self._scope)
        if self._scope.cancelled_caught:
            self._refuse(DeliveryFailed(_why_cut_off(self._mailbox.in_hand)))

    async def _serve_within(self, scope: trio.CancelScope) -> None:
        mailbox, clock = self._mailbox, time.perf_counter
        messages, turn_ends = 0, clock() + SECONDS_PER_TURN
        while self._goes_on:
            if self._successor is not None:
                self._change_over()
            prober = self._prober
            if prober is not None and prober.is_due and not self._is_stopping:
                await prober.probe(self._behaviour)
                continue
            try:
                envelope = mailbox.take_nowait()
            except trio.WouldBlock:
                waited = await self._wait_for_message()
                if waited is None:
                    continue
                envelope = waited
                messages, turn_ends = 0, clock() + SECONDS_PER_TURN
            self._may_take -= 1
            await self._handle(envelope, scope)
            may_be_cut = envelope.deadline is not None or envelope.reply is not None
            if may_be_cut and scope.cancel_called:
                return
            messages += 1
            if messages >= MESSAGES_PER_TURN or clock() >= turn_ends:
                await trio.lowlevel.checkpoint()
                messages, turn_ends = 0, clock() + SECONDS_PER_TURN

    async def _wait_for_message(self) -> Envelope | None:
        """Wait for the next message; None if a probe is due before."""
        if self._prober is None:
            return await self._mailbox.take()
        with trio.move_on_at(self._prober.due_at):
            return await self._mailbox.take()
        return None

    async def _handle(self, envelope: Envelope, scope: trio.CancelScope) -> None:
        if self._give_up_if_late(envelope):
            return
        try:
            answer = await self._behaviour.handle(envelope, scope)
        except Exception as error:
            if not self._lives_on(error):
                raise
            self._refuse(error)
            return
        finally:
            if scope.deadline != math.inf:
                scope.deadline = math.inf
        mailbox = self._mailbox
        if mailbox.in_hand is None:
            return  # It was set aside.
        if envelope.reply is not None:
            envelope.reply.answer(answer)
        mailbox.release()

    def _lives_on(self, error: Exception) -> bool:
        """Say whether the actor has only answered with an error."""
        if isinstance(error, (GuestRejected, CapacityReached)):
            return True
        return directive_for(self._spec.on_error, error) is Directive.RESUME

    def _give_up_if_late(self, envelope: Envelope) -> bool:
        """Make a dead letter of the message in hand if nobody has use for it any more."""
        deadline, expires_at = envelope.deadline, envelope.expires_at
        reply = envelope.reply
        if deadline is None and expires_at is None and reply is None:
            return False
        now = trio.current_time()
        if (deadline is not None and deadline <= now) or (
            expires_at is not None and expires_at <= now
        ):
            why, reason = "its deadline had passed", DeadReason.EXPIRED
        elif reply is not None and reply.is_abandoned:
            why, reason = "its asker had stopped waiting", DeadReason.CANCELLED
        else:
            return False
        self._give_up_message(why, reason=reason)
        return True

    def _refuse(self, error: Exception) -> None:
        envelope = self._mailbox.release(Ending.FAILED)
        if envelope is None:
            return
        envelope = _for_observers(envelope)
        self._address.around.events(
            MessageFailed(envelope.target, envelope.sender, error, envelope.trace)
        )
        if envelope.reply is not None:
            failure = CalleeFailed(
                envelope.target, describe(error), NoAnswer.REFUSED, error
            )
            envelope.reply.fail(failure)

    def _give_up_message(
        self,
        why: str,
        error: BaseException | None = None,
        reason: DeadReason | None = None,
    ) -> None:
        envelope = self._mailbox.release(Ending.GIVEN_UP)
        if envelope is not None:
            broker = self._address.around.broker
            broker.dead_letter(_for_observers(envelope), why, error, reason)


def _is_cancellation(error: BaseException) -> bool:
    """Say so also of a handler that was cancelled in a nursery of its own."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_cancellation, error.exceptions))
    return isinstance(error, trio.Cancelled)


def _why_cut_off(envelope: Envelope | None) -> str:
    deadline = math.inf if envelope is None else envelope.deadline
    if deadline is None or deadline > trio.current_time():
        return "cut off while it was handled, when its asker stopped waiting"
    return "cut off at its deadline, while it was handled"


def _for_observers(envelope: Envelope) -> Envelope:
    """Leave an asker whose time is up to its own timeout, which says so better."""
    deadline = envelope.deadline
    if deadline is not None and deadline <= trio.current_time():
        return envelope._replace(reply=None)
    return envelope
