"""The children of one supervisor as running tasks: started, stopped, reported.

A child runner decides nothing. What happens to the children comes back as notices, in the
order in which it happened; the supervisor serves them one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    BrutalKill,
    ChildStarted,
    ChildUnstopped,
    EventSink,
    ExitReason,
    Refusal,
    Refused,
    Shutdown,
)
from airssys.nursery.restarts import Cause, End, answer_to_start, event_of

from ._child import GRACE, Child, still_alive, stop_all
from ._inbox import Ended, Inbox, Notice, Ready, Requested, RetryDue
from ._reply import Reply
from ._slot_states import SlotState, SlotStep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ._requests import Request
    from ._slots import Slot, Start


@final
class ChildRunner:
    """The running children of one supervisor, and the notices about them."""

    nursery: trio.Nursery
    """Where they run; there is none before `begin_to_serve`."""

    def __init__(
        self,
        path: str,
        events: EventSink,
        on_end: Callable[[Child, ExitReason], None],
    ) -> None:
        self.path, self.emit, self._on_end = path, events, on_end
        self.inbox = Inbox()
        self._slot_of: dict[Child, Slot] = {}
        self.is_serving = False
        """Its supervisor serves notices."""
        self.stops_its_children = False
        """When it is killed it still does, because a supervisor above was killed."""
        self.all_cancelled = trio.Event()
        """The supervisor was killed, and all below are cancelled or have ended."""

    def begin_to_serve(self, nursery: trio.Nursery) -> None:
        """Take note of where children run, and that notices are served from now on."""
        self.nursery, self.is_serving = nursery, True

    def ask(self, request: Request) -> Reply:
        """Pass a request to the supervisor; the reply always comes."""
        reply = Reply()
        if self.is_serving:
            self.inbox.post(Requested(request, reply))
        else:
            reply.give(Refused(Refusal.NOT_RUNNING))
        return reply

    def refuse_unserved(self, put_off: Iterable[Notice] = ()) -> None:
        """Refuse the requests that were not served, and those put off."""
        for notice in (*put_off, *self.inbox.unread()):
            if isinstance(notice, Requested):
                notice.reply.give(Refused(Refusal.NOT_RUNNING))

    def child_ready(self, child: Child) -> None:
        """Take note that a child is ready; called by the child."""
        self.inbox.serve_or_post(Ready(child))

    def child_ended(self, child: Child, reason: ExitReason) -> None:
        """Take note that a child has ended; called by the child."""
        self.inbox.serve_or_post(Ended(child, reason))

    def slot_of(self, child: Child) -> Slot | None:
        """Return the slot of a child; None once its end was served."""
        return self._slot_of.get(child)

    def start(self, slot: Slot, why: Start) -> None:
        """Start a child in its slot."""
        slot.start, slot.retry = why, None
        slot.move(SlotStep.START_AGAIN if slot.was_ready else SlotStep.START)
        path = f"{self.path}/{slot.name}"
        child = Child(path, slot.cell.incarnate(), slot.spec.start_timeout, self)
        slot.child = child
        self._slot_of[child] = slot
        child.start(self.nursery)

    def stop(self, slot: Slot) -> None:
        """Stop a child, within its shutdown time; its end comes as a notice.

        The end of a child that has already ended by itself is served now.
        """
        child = slot.child
        if child is None:
            return
        if child.reason is not None:
            slot.move(SlotStep.STOP)
            self._on_end(child, child.reason)
        elif slot.state is not SlotState.STOPPING:
            slot.move(SlotStep.STOP)
            self.nursery.start_soon(self._stop, {child: slot}, slot.spec.shutdown)

    @enable_ki_protection
    async def _stop(self, children: dict[Child, Slot], shutdown: Shutdown) -> None:
        asked_at = trio.current_time()
        for child in await stop_all(children, shutdown):
            waited = trio.current_time() - asked_at
            self.emit(ChildUnstopped(self.path, children[child].name, waited))

    def stop_together(self, slots: Iterable[Slot]) -> None:
        """Stop many children at the same time; their ends come as notices."""
        by_shutdown: dict[Shutdown, dict[Child, Slot]] = {}
        for slot in slots:
            if slot.child is not None and slot.child.reason is None:
                slot.move(SlotStep.STOP)
                together = by_shutdown.setdefault(slot.spec.shutdown, {})
                together[slot.child] = slot
        for shutdown, children in by_shutdown.items():
            self.nursery.start_soon(self._stop, children, shutdown)

    def retry(self, slot: Slot, pause: float) -> None:
        """Give notice when it is time to start a child again.

        Without a pause that is behind the notices already there.
        """
        slot.retry = due = RetryDue(slot, object())
        slot.retry_at = trio.current_time() + pause
        if pause > 0:
            self.nursery.start_soon(self._pause, due, slot.retry_at)
        else:
            self.inbox.post(due)

    @enable_ki_protection
    async def _pause(self, due: RetryDue, until: float) -> None:
        await trio.sleep_until(until)
        if due.slot.retry is due:
            self.inbox.post(due)

    async def kill_all(self, slots: Iterable[Slot], *, together: bool = False) -> None:
        """End all that are left, because this supervisor was killed; wait for all.

        The newest ends first, unless they end together. A child that takes time to
        end does not delay the next one. In the end all are waited for, however long it
        takes.

        Raises:
            BaseException: what one of them raised that must leave the tree.
        """
        left = {slot.child: slot for slot in slots if slot.child is not None}
        with trio.CancelScope(shield=True):
            if together and left:
                await self._fell_together(left)
            for child in () if together else reversed(left):
                await self._fell(child, left[child])
            self.all_cancelled.set()
            for child in await still_alive(left, GRACE):
                self.emit(ChildUnstopped(self.path, left[child].name, GRACE))
            for child in reversed(left):
                reason, stops = await child.wait_ended(), self.stops_its_children
                cause = Cause.STOPPED if stops else Cause.SUPERVISOR_KILLED
                self.report_end(left[child], child, reason, cause)
        fatals = (child.fatal for child in left if child.fatal is not None)
        if (fatal := next(fatals, None)) is not None:
            raise fatal

    async def _fell_together(self, slot_of: Mapping[Child, Slot]) -> None:
        async with trio.open_nursery() as nursery:
            for child, slot in slot_of.items():
                nursery.start_soon(self._fell, child, slot)

    @enable_ki_protection
    async def _fell(self, child: Child, slot: Slot) -> None:
        slot.move(SlotStep.STOP)
        is_brutal = isinstance(slot.spec.shutdown, BrutalKill)
        await child.fall(is_kill=is_brutal or not self.stops_its_children)

    def report_start(self, slot: Slot) -> None:
        """Report that a child is ready."""
        self.emit(ChildStarted(self.path, slot.name, slot.restarts))

    def report_end(
        self,
        slot: Slot,
        child: Child,
        reason: ExitReason,
        cause: Cause,
        *,
        restarting: bool = False,
    ) -> None:
        """Report the end of a child. Every end of every child is reported here, once.

        The request for its start is answered if this end is the answer.

        Args:
            slot: the slot of the child, which has no child afterwards.
            child: the incarnation that ended.
            reason: how it ended.
            cause: why its end is reported.
            restarting: it is going to be started again.
        """
        self._slot_of.pop(child, None)
        if slot.child is child:
            slot.child = None
        end = End(
            self.path,
            slot.name,
            slot.spec,
            reason,
            cause,
            restarts=slot.restarts,
            was_ready=child.is_ready,
            asked=child.asked,
            restarting=restarting,
            trace=child.trace,
        )
        if slot.start_reply is not None and end.cut_its_start_short:
            slot.answer_start(answer_to_start(slot.name, reason))
        self.emit(event_of(end))
