"""One incarnation of an actor: take a message, handle it, answer, one at a time.

The loop belongs to the actor, what it does with a message to its behaviour: a guest or
Python code, behind one interface. A message ends in one of these ways here:

* handled: the asker, if there is one, gets the answer;
* refused by the actor (`GuestRejected`, or an error that it resumes from) or by the
  machine (`CapacityReached`): the asker gets `CalleeFailed`, observers `MessageFailed`,
  and the actor lives on; the same when it was cut off at its deadline, except that its
  asker times out at that moment;
* its deadline or its time to live was over before it was taken: a dead letter, not handled;
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
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol, final

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

MESSAGES_PER_TURN: Final = 256
SECONDS_PER_TURN: Final = 0.001
"""Seconds of the thread, not of Trio's clock."""


class Behaviour(Protocol):
    """What one incarnation of an actor does; made afresh for each."""

    wants_to_end: bool
    """The actor wishes to end, after the message in hand."""

    async def start(self) -> None:
        """Become ready to handle messages."""
        ...

    def watched(self, serving: Coroutine[Any, Any, None], /) -> Awaitable[None]:
        """Wrap the serving of the mailbox, during which messages are handled."""
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
        """Messages that it may still take."""

    def stop_soon(self) -> None:
        """Ask it to end after the message in hand; one that still starts is cut off.

        One that drains first handles what is queued now, but nothing that comes later.
        """
        self._is_stopping = True
        self._behaviour.hear_stop()
        drains = self._spec.drain and self._is_started
        self._may_take = self._mailbox.statistics().queued if drains else 0
        if self._may_take == 0 and not self._is_busy:
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
            await self._serve(ready)
            if not self._is_started:
                return
            while self._goes_on:
                await self._serve()
            await self._say_goodbye()
        except trio.Cancelled:
            self._give_up_message("its actor was cancelled")
            raise
        except BaseException as error:
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
        return self._may_take > 0 and not self._behaviour.wants_to_end

    async def _say_goodbye(self) -> None:
        if not isinstance(self._spec.shutdown, BrutalKill):
            # A supervisor that asked keeps this time itself; nobody else would.
            with trio.move_on_after(self._spec.shutdown):
                await self._behaviour.stop()

    async def _serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve the mailbox until it is time to stop or a message was cut off.

        One scope serves many messages, because opening one costs as much as half an
        ask; it is replaced after it cut one off. The first one is around the start too.
        """
        with trio.CancelScope() as self._scope:
            if ready is not None:
                await self._start(ready)
            await self._behaviour.watched(self._serve_within(self._scope))
        if self._scope.cancelled_caught:
            error = DeliveryFailed("cut off at its deadline, while it was handled")
            self._refuse(error)

    async def _start(self, ready: Callable[[], None]) -> None:
        await self._behaviour.start()
        self._is_started = True
        self._address.open()
        if (health := self._spec.health) is not None:
            self._prober = Prober(health, self._spec.on_error, self._address)
        ready()

    async def _serve_within(self, scope: trio.CancelScope) -> None:  # noqa: C901, PLR0912  # every message would pay for a call
        mailbox, clock = self._mailbox, time.perf_counter
        messages, turn_ends = 0, clock() + SECONDS_PER_TURN
        while self._may_take > 0 and not self._behaviour.wants_to_end:
            if self._successor is not None:
                self._change_over()
            if self._prober is not None and await self._probe(self._prober):
                continue
            envelope = mailbox.take_if_any()
            if envelope is None:
                if self._prober is None:
                    envelope = await mailbox.take()
                else:
                    envelope = await self._wait_until_probe(self._prober)
                messages, turn_ends = 0, clock() + SECONDS_PER_TURN
                if envelope is None:
                    continue
            self._may_take -= 1
            has_end = envelope.deadline is not None or envelope.expires_at is not None
            if not (has_end and self._give_up_if_late(envelope)):
                try:
                    answer = await self._behaviour.handle(envelope, scope)
                except Exception as error:
                    if not self._lives_on(error):
                        raise
                else:
                    if envelope.reply is not None and mailbox.in_hand is not None:
                        envelope.reply.answer(answer)
                    mailbox.finish()
                if has_end:
                    scope.deadline = math.inf
                    if scope.cancel_called:
                        return
            messages += 1
            if messages >= MESSAGES_PER_TURN or clock() >= turn_ends:
                await trio.lowlevel.checkpoint()
                messages, turn_ends = 0, clock() + SECONDS_PER_TURN

    async def _probe(self, prober: Prober) -> bool:
        """Make a probe if one is due."""
        if self._is_stopping or not prober.is_due:
            return False
        await prober.probe(self._behaviour)
        return True

    async def _wait_until_probe(self, prober: Prober) -> Envelope | None:
        """Wait for the next message; None if a probe is due before."""
        with trio.move_on_at(prober.due_at):
            return await self._mailbox.take()
        return None

    def _lives_on(self, error: Exception) -> bool:
        """Refuse the message in hand for this error, unless the actor is to crash by it."""
        if not isinstance(error, (GuestRejected, CapacityReached)):
            directive = directive_for(self._spec.on_error, error)
            if directive is not Directive.RESUME:
                return False
        self._refuse(error)
        return True

    def _give_up_if_late(self, envelope: Envelope) -> bool:
        """Make a dead letter of the message in hand if its time is over."""
        now = trio.current_time()
        deadline, expires_at = envelope.deadline, envelope.expires_at
        if (deadline is None or deadline > now) and (
            expires_at is None or expires_at > now
        ):
            return False
        self._give_up_message("its deadline had passed", reason=DeadReason.EXPIRED)
        return True

    def _refuse(self, error: Exception) -> None:
        envelope = self._mailbox.release(Ending.FAILED)
        if envelope is None:
            return
        envelope = _for_observers(envelope)
        self._address.around.events(
            MessageFailed(envelope.target, envelope.sender, error)
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


def _for_observers(envelope: Envelope) -> Envelope:
    """Leave an asker whose time is up to its own timeout, which says so better."""
    deadline = envelope.deadline
    if deadline is not None and deadline <= trio.current_time():
        return envelope._replace(reply=None)
    return envelope
