"""The Trio nursery that carries out restart plans.

Theory. A supervisor is one task with a queue of notices and a nursery of children. It
does one thing at a time: it takes a notice (a child is ready, a child has ended, a
pause is over, it was asked to stop), decides by pure code, and starts or stops. It
never waits for a child that is starting, so it can be asked to stop at any moment, and
a restart that fails comes back as one more notice behind those already queued (OTP rule
32): a child that fails at once takes one scheduler pass a time, never the thread.

* Start: one child after the other, in order, the next when the last one is ready. If
  one fails, those before it are stopped in reverse order and the supervisor fails to
  start (12, 13). A child that dies while later ones start is restarted meanwhile.
* Restart: one_for_one. Only the dead child is replaced (25); `_restart_plan` decides.
* Giving up: children are stopped in reverse order, then it ends by `GaveUp`, which is a
  shutdown: a parent restarts a permanent supervisor that gave up, but not a transient
  one (35, 36). The chain of offences travels in the exit reason.
* Stop: one at a time, in reverse order, each within its shutdown time (39, 40). Ends of
  others meanwhile are noted, not acted upon (42).
* Being cancelled is being killed: all children are cancelled at once, and waited for.
  No grandchild can leak, as rule 46 warns of: a nursery ends after its tasks.
* What must leave the tree (KeyboardInterrupt, SystemExit) stops the children in order
  and goes on to the parent, as itself.

What outlives a child is its seat: its name and its mailbox, so that queued messages
survive a restart. A seat is vacated when nobody will follow: the child is not
restarted, or its supervisor ends. A supervisor that gives up takes the mailboxes of its
children with it, and starts with fresh ones.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, assert_never, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    ChildExited,
    ChildSpec,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
    EventSink,
    ExitReason,
    Offence,
    StartFailed,
    SupervisorGaveUp,
    SupervisorSpec,
)

from ._child import GRACE, Child, still_alive
from ._exit_reason import GaveUp, offences_behind
from ._intensity import RestartWindow
from ._restart_plan import RETRY_PAUSE, Verdict, plan_restart
from ._slots import Seat, SeatMaker, Slot, SlotState

if TYPE_CHECKING:
    from collections.abc import Callable


@final
@attrs.frozen
class _Ready:
    child: Child


@final
@attrs.frozen
class _Ended:
    child: Child
    reason: ExitReason


@final
@attrs.frozen
class _PauseOver:
    slot: Slot


@final
@attrs.frozen
class _StopAsked:
    pass


_Notice: TypeAlias = _Ready | _Ended | _PauseOver | _StopAsked


@final
class Supervisor:
    """One incarnation of a supervisor: an occupation, with children of its own."""

    def __init__(
        self, spec: SupervisorSpec, path: str, make_seat: SeatMaker, events: EventSink
    ) -> None:
        self.path = path
        """Its own name after those of all above it, e.g. `root/workers`."""
        self._make_seat = make_seat
        self._emit = events
        self.slots = [Slot(child, self._seat(child)) for child in spec.children]
        """In start order; those of temporary children go when they end."""
        self._unstarted = iter(tuple(self.slots))
        self._slot_of: dict[Child, Slot] = {}
        self._window = RestartWindow(spec.intensity)
        self._post, self._notices = trio.open_memory_channel[_Notice](math.inf)

    def stop_soon(self) -> None:
        """Ask it to stop its children in order and to end."""
        self._post.send_nowait(_StopAsked())

    def child_ready(self, child: Child) -> None:
        """Take note that a child is ready; called by the child."""
        self._post.send_nowait(_Ready(child))

    def child_ended(self, child: Child, reason: ExitReason) -> None:
        """Take note that a child has ended; called by the child."""
        self._post.send_nowait(_Ended(child, reason))

    async def run(self, ready: Callable[[], None]) -> None:
        """Start the children, look after them until it is time to stop, stop them.

        Raises:
            GaveUp: it ran out of restarts.
            StartFailed: a child did not start.
            BaseException: what must leave the tree.
        """
        async with trio.open_nursery() as self._nursery:
            try:
                outcome = await self._look_after(ready)
                outcome = await self._stop_children(outcome)
            finally:
                await self._kill_children()  # noqa: ASYNC102  # shields itself
                # What is left in the nursery are pauses before another try.
                self._nursery.cancel_scope.cancel()
        if outcome is not None:
            raise outcome

    async def _look_after(self, ready: Callable[[], None]) -> BaseException | None:
        """Serve notices until it is time to stop; return what to raise after that."""
        self._start_next(ready)
        async for notice in self._notices:
            outcome: BaseException | None = None
            match notice:
                case _Ready(child):
                    self._note_ready(child, ready)
                case _Ended(child, reason):
                    outcome = self._note_end(child, reason)
                case _PauseOver(slot):
                    self._start(slot)
                case _StopAsked():
                    break
                case _:
                    assert_never(notice)
            if outcome is not None:
                return outcome
        return None

    def _start_next(self, ready: Callable[[], None]) -> None:
        slot = next(self._unstarted, None)
        if slot is None:
            ready()
        else:
            self._start(slot)

    def _start(self, slot: Slot) -> None:
        slot.state = SlotState.RESTARTING if slot.was_ready else SlotState.STARTING
        path = f"{self.path}/{slot.name}"
        child = Child(path, slot.seat.occupy(), slot.spec.start_timeout, self)
        slot.child = child
        self._slot_of[child] = slot
        child.start(self._nursery)

    def _note_ready(self, child: Child, ready: Callable[[], None]) -> None:
        slot = self._slot_of[child]
        is_first = not slot.was_ready
        slot.note_ready()
        self._emit(ChildStarted(self.path, slot.name, slot.restarts))
        if is_first:
            self._start_next(ready)

    def _note_end(self, child: Child, reason: ExitReason) -> BaseException | None:
        """Decide what follows the end of a child; return what ends the supervisor."""
        slot = self._slot_of.pop(child)
        if child.escapee is not None:
            self._report(slot, child, reason)
            return child.escapee
        if not slot.was_ready:
            self._report(slot, child, reason)
            return self._failure_to_start(slot, reason)
        now = trio.current_time()
        plan = plan_restart(
            slot.spec.restart, reason, self._window, now, was_ready=child.is_ready
        )
        self._window = plan.window
        self._report(slot, child, reason, plan.verdict)
        return self._carry_out(plan.verdict, slot, reason)

    def _carry_out(
        self, verdict: Verdict, slot: Slot, reason: ExitReason
    ) -> BaseException | None:
        match verdict:
            case Verdict.RESTART:
                self._start(slot)
            case Verdict.RETRY_LATER:
                slot.state = SlotState.REFUSED
                self._nursery.start_soon(self._pause, slot)
            case Verdict.KEEP_STOPPED:
                slot.retire()
            case Verdict.FORGET:
                slot.retire()
                self.slots.remove(slot)
            case Verdict.GIVE_UP:
                return self._give_up(slot, reason)
            case _:
                assert_never(verdict)
        return None

    @enable_ki_protection
    async def _pause(self, slot: Slot) -> None:
        await trio.sleep(RETRY_PAUSE)
        self._post.send_nowait(_PauseOver(slot))

    def _give_up(self, slot: Slot, reason: ExitReason) -> GaveUp:
        count, period = self._window.count, self._window.intensity.period
        offence = Offence(self.path, slot.name, count, period, str(reason))
        self._emit(SupervisorGaveUp(self.path, offence))
        return GaveUp((*offences_behind(reason), offence))

    def _failure_to_start(self, slot: Slot, reason: ExitReason) -> StartFailed:
        if isinstance(reason.error, StartFailed):
            return reason.error
        return StartFailed(self.path, slot.name, reason)

    async def _stop_children(
        self, outcome: BaseException | None
    ) -> BaseException | None:
        """Stop all in order; return what to raise, which an escape takes over."""
        for slot in tuple(reversed(self.slots)):
            if slot.child is not None:
                escapee = await self._stop_child(slot, slot.child)
                if outcome is None or isinstance(outcome, Exception):
                    outcome = escapee or outcome
            slot.retire()
        return outcome

    async def _stop_child(self, slot: Slot, child: Child) -> BaseException | None:
        """Stop one child; return what it raised that must leave the tree."""
        slot.state = SlotState.STOPPING
        asked_at = trio.current_time()
        reason = await child.stop(slot.spec.shutdown)
        if reason is None:
            waited = trio.current_time() - asked_at
            self._emit(ChildUnstopped(self.path, slot.name, waited))
            reason = await child.wait_ended()
        self._report(slot, child, reason)
        return child.escapee

    async def _kill_children(self) -> None:
        """Cancel all that are left at once, and wait for them, however long it takes."""
        left = {slot.child: slot for slot in self.slots if slot.child is not None}
        for child, slot in left.items():
            slot.state = SlotState.STOPPING
            child.kill()
        with trio.CancelScope(shield=True):
            for child in await still_alive(left, GRACE):
                self._emit(ChildUnstopped(self.path, left[child].name, GRACE))
            for child, slot in left.items():
                self._report(slot, child, await child.wait_ended())
        for slot in self.slots:
            slot.retire()
        escapees = (child.escapee for child in left if child.escapee is not None)
        if (escapee := next(escapees, None)) is not None:
            raise escapee

    def _report(
        self,
        slot: Slot,
        child: Child,
        reason: ExitReason,
        verdict: Verdict = Verdict.KEEP_STOPPED,
    ) -> None:
        slot.child = None
        restarting = verdict in {Verdict.RESTART, Verdict.RETRY_LATER}
        if not child.is_ready and not child.asked:
            failed = ChildStartFailed(self.path, slot.name, reason, restarting)
            self._emit(failed)
            return
        exited = ChildExited(
            self.path, slot.name, reason, asked=child.asked, restarting=restarting
        )
        self._emit(exited)

    def _seat(self, spec: ChildSpec) -> Seat:
        if isinstance(spec, SupervisorSpec):
            path = f"{self.path}/{spec.name}"
            return SupervisorSeat(spec, path, self._make_seat, self._emit)
        return self._make_seat(spec)


@final
class SupervisorSeat:
    """The place of a supervisor; each incarnation starts with fresh children."""

    def __init__(
        self, spec: SupervisorSpec, path: str, make_seat: SeatMaker, events: EventSink
    ) -> None:
        self._make = partial(Supervisor, spec, path, make_seat, events)
        self.present: Supervisor | None = None
        """The present incarnation, or the last one."""

    def occupy(self) -> Supervisor:
        """Make a supervisor with fresh children."""
        self.present = self._make()
        return self.present

    def vacate(self) -> None:
        """Do nothing: a supervisor that ended has vacated the seats of its children."""
