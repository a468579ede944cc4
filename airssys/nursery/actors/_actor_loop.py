"""One incarnation of an actor: take a message, handle it, answer, one at a time.

The loop belongs to the actor, what it does with a message to its behaviour: a guest or
Python code, behind one interface. A message ends in one of these ways:

| the message                                    | ends as                | where                  |
|------------------------------------------------|------------------------|------------------------|
| was handled                                    | answer, if one is due  | `_serve_within`        |
| was handled, too late for its caller           | answer is a dead letter| `_serve_within`        |
| was refused, by an error that the actor resumes| refusal, MessageFailed | `lives_on`             |
| is too late when its turn comes                | dead letter            | `Punctuality`          |
| would be answered too late, others would not   | dead letter            | `Punctuality`          |
| was cut off: its caller does not wait any more | refusal, MessageFailed | `_serve_in_scope`      |
| crashed the actor                              | as `poison` says       | `_live`                |
| was being handled when the actor was killed    | dead letter            | `run`                  |
| was set aside (`ActorContext.stash`)           | comes again            | the behaviour          |
| was handled in the step of its caller          | answer                 | `_handle_at_once`      |
| was handled in the dispatcher's step           | answer, if one is due  | `handle_queued`        |

An error that the actor resumes from is `GuestRejected`, `NotUnderstood`, `CapacityReached`
or one that `on_error` names. Only a behaviour that is cut off (`is_cut_off`) has messages
cut off. An instance that does not survive that is replaced, and it is not counted.

A plain function cannot wait in the middle of a message, so its messages need no task of
their own: while this task is parked, an asker or the dispatcher has them handled in its own
step. All else, a stop, a probe, an error of the handler, wakes this task.

A function has nothing to do before its first message, so it is ready without a task.

Messages are taken without a checkpoint while there are any. The loop checks in with
Trio every `MESSAGES_PER_TURN` messages or `SECONDS_PER_TURN`, so that a full mailbox
does not hold the thread. What is queued at the end is left to the next incarnation.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast, final

import attrs
import trio

from airssys.contracts import (
    BrutalKill,
    CapacityReached,
    Envelope,
    HealthStatus,
    Unanswered,
    find_fatal,
    is_a,
    is_fatal,
    is_wholly,
)
from airssys.nursery.behaviours import ComponentBehaviour
from airssys.nursery.restarts import CutOff, Stop, Verdict, exit_reason, judge_end

from ._dormancy import Dormancy, ready_code
from ._endings import (
    cut_message_off,
    give_up_in_hand,
    give_up_message,
    lives_on,
    put_message_back,
    settle_message,
    was_cut_off,
)
from ._prober import Prober
from ._punctuality import Punctuality

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.contracts import ActorSpec, ComponentSpec, TraceContext
    from airssys.messaging import AtOnce, Servant
    from airssys.nursery.behaviours import Behaviour, Successor

    from ._address import Address
    from ._checkpoints import Checkpoints

MESSAGES_PER_TURN: Final = 256
SECONDS_PER_TURN: Final = 0.001
"""Seconds of the thread, not of Trio's clock."""

# To read a member off its class takes longer than to compare with it.
_BEGUN: Final = Unanswered.BEGUN


@final
class Actor:
    """One incarnation of an actor."""

    def __init__(
        self,
        address: Address,
        behaviour: Behaviour,
        spec: ActorSpec | ComponentSpec,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self._address, self._behaviour, self._spec = address, behaviour, spec
        self.starts_at_once = behaviour.starts_at_once
        self._checkpoints = checkpoints
        """None unless it is a component that is declared to have some."""
        self._mailbox = address.mailbox
        self._scope: trio.CancelScope | None = None
        """Around preparing for the next incarnation, or replacing a spent instance."""
        self._goodbye: trio.CancelScope | None = None
        """Around the last thing it does; limited by its shutdown time unless a stop was requested."""
        self.trace: TraceContext | None = None
        """That of the message in progress when it ended."""
        self._is_started = self._is_stopping = False
        self.needs_scope = False
        """A message came that may be cut off. Until then a scope would serve nothing."""
        self._prober: Prober | None = None
        """None before it is ready, and if it is not probed."""
        self._successor: Successor | None = None
        """Takes over after the present call."""
        self._keeper = Punctuality(address)
        self._is_handing_over = self._is_renewing = False
        self._owed: dict[int, Envelope] | None = None
        """What it still handles before it ends, by `id`; None: it does not end."""
        self._dormancy: Dormancy | None = None
        """There is one until it has a task, if it is ready without one."""

    def stop_soon(self) -> bool:
        """Ask it to end after the present message; one that still starts is cut off.

        One that drains first handles what its mailbox holds now, but nothing that comes
        later; what it has set aside only if it takes it back.
        """
        self._is_stopping = True
        self._behaviour.note_stop_asked()
        if not self._is_started:
            return False
        self._owed = {id(envelope): envelope for envelope in self._promised()}
        if self._scope is not None:
            if not (self._is_renewing and self._owed):
                self._scope.cancel()
        elif self._goodbye is not None:
            self._goodbye.deadline = math.inf
        elif self._behaviour.is_plain or not (self._is_busy or self._goes_on):
            # One that was woken for a message already handles it, and then ends.
            self._mailbox.interrupt()
        return True

    def _promised(self) -> tuple[Envelope, ...]:
        """Return the messages that are handled before it ends."""
        if self._spec.drain:
            return self._mailbox.contents()
        is_waking = self._dormancy is not None and self._dormancy.is_ending
        return self._mailbox.contents()[:1] if is_waking else ()

    @property
    def behaviour(self) -> Behaviour:
        """What it does now."""
        return self._behaviour

    @property
    def has_successor(self) -> bool:
        """Whether another behaviour waits to take over."""
        return self._successor is not None

    async def hand_over(self, successor: Successor) -> Behaviour | None:
        """Let another behaviour take over after the present call; only while it runs.

        Returns:
            The old behaviour, for the caller to stop and to close; None if this
            incarnation is to end first, or goes on because of `successor.failure`. If
            the wait is cancelled nothing was changed.
        """
        if self._is_stopping:
            return None
        self._successor = successor
        if successor.inherit is not None:
            self._mailbox.interrupt()
        elif self._is_busy:
            self._mailbox.interrupt()  # if that is in another task's step
        else:
            self._change_over(successor)
        try:
            if not successor.settled.is_set():
                await successor.settled.wait()
        finally:
            if self._successor is successor:
                self._successor = None
            if self._is_handing_over:  # until then its instance must not be closed
                with trio.CancelScope(shield=True):
                    await successor.settled.wait()
        return successor.predecessor

    async def _be_followed(self, successor: Successor) -> None:
        """Hand over what is to be handed over, then go on by the successor.

        Raises:
            Exception: the present behaviour did not survive being asked for its state.
        """
        if successor.inherit is not None:
            self._is_handing_over = True
            try:
                successor.failure = await successor.inherit()
            except BaseException as error:
                successor.failure = (
                    None if is_fatal(error) else cast("Exception", error)
                )
                successor.settled.set()
                raise
            finally:
                self._is_handing_over = False
        is_wanted = self._successor is successor and not self._is_stopping
        if is_wanted and successor.failure is None:
            self._change_over(successor)
        else:
            self._successor = None
            successor.settled.set()

    def _change_over(self, successor: Successor) -> None:
        """Go on by the successor; only between two calls."""
        self._successor = None
        address, infos = self._address, self._address.shared.infos
        successor.predecessor = self._behaviour
        self._behaviour = successor.behaviour
        told = HealthStatus(successor.info.health)
        before = infos[address.id].health
        infos[address.id] = attrs.evolve(successor.info, health=before)
        if (health := self._spec.health) is not None:
            self._prober = Prober(health, self._spec.on_error, address, told)
        if self._checkpoints is not None:
            self._checkpoints.forget()
        successor.commit()
        successor.settled.set()

    def begin(self, ready: Callable[[], None], go_on: Callable[[], None]) -> bool:
        """Become ready without a task, if its code needs none before a message."""
        code = ready_code(self._behaviour, self._spec, self._address)
        if code is None:
            return False
        self._dormancy = Dormancy(code, go_on)
        self._begin_to_serve(ready)
        self._mailbox.doze(self._dormancy, *self._others())
        return True

    def rouse(self) -> None:
        """Go on in a task, which was cancelled."""
        self._mailbox.interrupt()

    async def run(self, ready: Callable[[], None]) -> None:
        """Start, serve the mailbox, end.

        Raises:
            Stop: the actor ended itself.
            NameTaken: another actor has its name; its code did not run.
            Exception: it crashed.
        """
        try:
            await self._live(ready)
        except BaseException as error:
            if is_wholly(error, trio.Cancelled):  # also in a nursery of its handler
                self._note_trace()
                give_up_message(self._address, "its actor was cancelled")
                raise
            give_up_in_hand(self._address, error)
            if (fatal := find_fatal(error)) is not None:
                self._address.shared.on_fatal(fatal)
            raise
        finally:
            self._close()
        self._keep_checkpoint()
        if not self._is_stopping:
            raise Stop("stopped itself")

    async def _live(self, ready: Callable[[], None]) -> None:
        """Do what `run` says, and prepare for a restart if that is what follows."""
        try:
            if self._dormancy is not None:
                await self._continue(self._dormancy)
            else:
                await self._start(ready)
            while self._goes_on:
                await self._serve()
            await self._say_goodbye()
        except Exception as error:
            self._note_trace()
            settle_message(self._address, self._spec.poison, error)
            if not self._is_started and is_a(error, CapacityReached):
                self._keep_checkpoint()
            if self._is_started and not self._is_stopping:
                # One that is cancelled here was killed, whatever it had raised before.
                await self._prepare_restart(error)  # noqa: ASYNC120  # see the line above
            raise

    async def _start(self, ready: Callable[[], None]) -> None:
        self._address.arrive()
        await self._behaviour.start()
        if self._is_stopping:  # asked too late for `start` to notice
            await trio.lowlevel.checkpoint_if_cancelled()
        self._begin_to_serve(ready)

    async def _continue(self, dormancy: Dormancy) -> None:
        """Go on in this task, perhaps with a message whose handler has failed."""
        self._dormancy = None
        dormancy.end()
        envelope, self._keeper.begun = self._mailbox.in_hand, None
        if envelope is not None:
            try:
                await self._behaviour.handle(envelope, None)
            except Exception as error:
                if not lives_on(self._address, self._spec.on_error, error):
                    raise
            self._keeper.note_handled(in_time=True)
        await trio.lowlevel.checkpoint_if_cancelled()

    def _note_trace(self) -> None:
        if self._mailbox.in_hand is not None:
            self.trace = self._mailbox.in_hand.trace

    async def _prepare_restart(self, error: Exception) -> None:
        """Let the code know that another incarnation is to follow, and why."""
        if not self._behaviour.prepares_for_restarts:
            return  # Most do not, and a scope costs a tenth of a restart.
        spec = self._spec
        reason = exit_reason(error, asked=False, killed=False, ready=True)
        if judge_end(spec.restart, reason, spec.on_error) is Verdict.RESTART:
            with trio.CancelScope() as self._scope:
                await self._behaviour.before_restart(reason)

    def _close(self) -> None:
        try:
            self._behaviour.close()
        finally:
            if self._successor is not None:
                self._successor.settled.set()

    @property
    def _is_busy(self) -> bool:
        """There is a call into its code, which would not survive being cut off."""
        is_probing = self._prober is not None and self._prober.is_probing
        is_saving = self._checkpoints is not None and self._checkpoints.is_taking
        is_called = is_probing or self._is_handing_over or self._is_renewing
        return is_saving or is_called or self._mailbox.in_hand is not None

    def _keep_checkpoint(self) -> None:
        """Let the next incarnation use the last checkpoint: nothing is wrong with it."""
        if self._checkpoints is not None:
            self._checkpoints.note_ended_well()

    @property
    def _goes_on(self) -> bool:
        if self._behaviour.wants_to_end:
            return False
        return self._owed is None or self._mailbox.has_waiting(self._owed)

    async def _say_goodbye(self) -> None:
        shutdown = self._spec.shutdown
        if isinstance(shutdown, BrutalKill):
            return
        # A supervisor that asked keeps this time itself.
        seconds = math.inf if self._is_stopping else shutdown
        with trio.move_on_after(seconds) as self._goodbye:
            await self._behaviour.stop()
        if self._goodbye.cancelled_caught:
            raise CutOff(
                f"`stopped` took longer than its shutdown time, {shutdown:g} s"
            )

    def _begin_to_serve(self, ready: Callable[[], None]) -> None:
        self._is_started = True
        self._address.open()
        if (health := self._spec.health) is not None:
            self._prober = Prober(health, self._spec.on_error, self._address)
        if self._checkpoints is not None:
            self._checkpoints.note_ready(self._spec)
        ready()

    def _serve(self) -> Awaitable[None]:
        """Serve the mailbox until it is time to stop or a message was cut off."""
        if self._behaviour.is_cut_off and (
            self.needs_scope or self._behaviour.handle_at_once is not None
        ):
            return self._serve_in_scope()
        return self._behaviour.watched(self._serve_within(None))

    def _opens_scope(self) -> bool:
        """Put the present message back if it needs a scope, and none was opened for it."""
        behaviour = self._behaviour
        if not behaviour.is_cut_off or behaviour.handle_at_once is not None:
            return False
        self.needs_scope = True
        put_message_back(self._address, self._owed)
        return True

    async def _serve_in_scope(self) -> None:
        """Serve it, and cut messages off that no caller waits for any more.

        One scope serves many messages, because opening one costs as much as half an
        ask; it is replaced after it cut one off.
        """
        with trio.CancelScope() as scope:
            await self._behaviour.watched(self._serve_within(scope))
        if scope.cancelled_caught:
            cut_message_off(self._address)
            self._keeper.fall_behind().note_cut_off(trio.current_time())
            if self._behaviour.is_spent:
                await self._renew()

    async def _renew(self) -> None:
        """Replace what was spent because it was cut off: that is not a failure.

        Raises:
            Exception: what replaces it did not start; that is a failure.
        """
        self._is_renewing = True
        try:
            with trio.CancelScope() as self._scope:
                behaviour = self._component
                if behaviour is not None and self._checkpoints is not None:
                    behaviour.saved = self._checkpoints.next_start(behaviour.spec)
                self._behaviour = await self._behaviour.renewed()
            if self._checkpoints is not None:
                self._checkpoints.note_ready(self._spec)
        finally:
            self._is_renewing, self._scope = False, None

    async def _serve_within(self, scope: trio.CancelScope | None) -> None:  # noqa: C901, PLR0912  # every message would pay for a call
        """Let each message end as the table above says; return when one is cut off."""
        mailbox, keeper, clock = self._mailbox, self._keeper, time.perf_counter
        messages, turn_ends = 0, clock() + SECONDS_PER_TURN
        # A message does not pay for `_goes_on` before a stop is requested.
        while not self._behaviour.wants_to_end and (
            self._owed is None or self._goes_on
        ):
            if messages >= MESSAGES_PER_TURN or clock() >= turn_ends:
                await self._end_turn()
                messages, turn_ends = 0, clock() + SECONDS_PER_TURN
                continue
            messages += 1
            if self._successor is not None:
                await self._be_followed(self._successor)
                continue
            if self._prober is not None and await self._probe(self._prober):
                continue
            envelope = mailbox.take_next()
            if envelope is None:
                envelope = await self._wait_for_message()
                messages, turn_ends = 1, clock() + SECONDS_PER_TURN
                if envelope is None:
                    continue
            reply, deadline = envelope.reply, envelope.deadline
            if reply is None and deadline is None and envelope.expires_at is None:
                end = None  # it can neither be late nor be cut off
            elif keeper.is_too_late(envelope):  # or passed over
                continue
            elif scope is None and self._opens_scope():
                return
            else:
                end = scope
            try:
                answer = await self._behaviour.handle(envelope, end)
            except Exception as error:
                if not lives_on(self._address, self._spec.on_error, error):
                    raise  # crashed the actor
            else:  # handled, perhaps too late for its caller
                if (
                    reply is not None
                    and mailbox.in_hand is not None
                    and not reply.answer(answer)
                ):
                    keeper.fall_behind()
                mailbox.finish()
            if keeper.overload is not None:
                keeper.overload.note_end(trio.current_time())
            if end is not None and was_cut_off(end):
                return

    @property
    def _component(self) -> ComponentBehaviour | None:
        behaviour = self._behaviour
        return behaviour if isinstance(behaviour, ComponentBehaviour) else None

    async def _end_turn(self) -> None:
        """Check in with Trio; a busy actor's checkpoints are taken here."""
        await trio.lowlevel.checkpoint()
        await self._save_if_due()

    async def _save_if_due(self) -> None:
        """Take a checkpoint, between two messages, if one is due."""
        checkpoints, behaviour = self._checkpoints, self._component
        if checkpoints is None or behaviour is None or self._is_stopping:
            return
        if checkpoints.is_due and not behaviour.is_spent:
            await checkpoints.take(behaviour)

    async def _probe(self, prober: Prober) -> bool:
        """Make a probe if one is due."""
        if self._is_stopping or not prober.is_due:
            return False
        await prober.probe(self._behaviour)
        return True

    async def _wait_for_message(self) -> Envelope | None:
        """Wait for the next message; None if there is something else to do before."""
        if self._checkpoints is not None:
            return await self._save_or_wait(self._checkpoints)
        try:
            if self._prober is None:
                return await self._mailbox.take(*self._others())
            with trio.move_on_at(self._prober.due_at):
                return await self._mailbox.take(*self._others())
        except trio.WouldBlock:
            pass
        return self._mailbox.in_hand  # one whose handler has failed, or nothing

    def _others(self) -> tuple[AtOnce | None, Servant | None]:
        """Return what handles messages while this task is parked, or is not there."""
        behaviour = self._behaviour
        if not behaviour.is_plain:
            is_able = behaviour.handle_at_once is not None
            return self._handle_at_once if is_able else None, None
        is_served = self._address.shared.dispatcher.is_served
        return self._answer_at_once, self if is_served else None

    def note_due(self) -> None:
        """Have the dispatcher visit it, because there is something to handle."""
        self._address.shared.dispatcher.add(self)

    def handle_due(self, most: int, began: float, until: float) -> int:
        """Handle what is queued in the dispatcher's step, until this task has to go on."""
        mailbox, behaviour = self._mailbox, self._behaviour
        if not mailbox.is_served_by(self):
            return 0
        messages = behaviour.handle_queued(most, began, until, self._keeper)
        if mailbox.in_hand is not None:  # the handler failed
            self._keeper.begun = mailbox.in_hand
            mailbox.interrupt()
        elif behaviour.wants_to_end:
            mailbox.interrupt()
        else:
            mailbox.expect()
        return messages

    def _answer_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Let a plain function handle an ask in the step of its asker.

        Only while this task is parked or not there yet; it goes on if the function fails.
        """
        behaviour = self._behaviour
        handle = behaviour.handle_at_once
        if handle is None or self._is_stopping:
            return Unanswered.NOT_BEGUN
        answer = handle(envelope, owner)
        if answer is _BEGUN and self._mailbox.in_hand is not None:
            self._keeper.begun = envelope
        if behaviour.wants_to_end:
            self._mailbox.interrupt()
        return answer

    async def _save_or_wait(self, checkpoints: Checkpoints) -> Envelope | None:
        """Take a checkpoint if one is due; else wait for a message, or until one is."""
        if checkpoints.is_due:
            await self._save_if_due()
            return None
        due_at = checkpoints.due_at
        if self._prober is not None:
            due_at = min(due_at, self._prober.due_at)
        with suppress(trio.WouldBlock), trio.move_on_at(due_at):
            return await self._mailbox.take(self._handle_before_checkpoint)
        return None

    def _handle_before_checkpoint(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Handle an ask in the step of its asker, and wake this task if it has to look."""
        answer = self._handle_at_once(envelope, owner)
        checkpoints, is_handled = self._checkpoints, not isinstance(answer, Unanswered)
        if is_handled and checkpoints is not None and checkpoints.is_changed_by_one():
            self._mailbox.interrupt()
        return answer

    def _handle_at_once(
        self, envelope: Envelope, owner: object
    ) -> bytes | Unanswered | None:
        """Handle an ask in the step of its asker; only while this task is parked.

        Waking another task for it takes as long as a short call does.
        """
        handle = self._behaviour.handle_at_once
        if handle is None or self._is_stopping:
            return Unanswered.NOT_BEGUN
        try:
            answer = handle(envelope, owner)
        except Exception:  # noqa: BLE001  # a guest of another actor: this task will meet it again
            return Unanswered.NOT_BEGUN
        except BaseException as error:  # noqa: BLE001, ASYNC103  # its asker must not raise it
            self._address.shared.end_by(error)
            return Unanswered.NOT_BEGUN  # noqa: ASYNC104  # as above
        if answer is Unanswered.BEGUN:
            self._keeper.begun = envelope
        return answer
