"""Carries restart plans out: one supervisor, one round after the other.

Theory. A supervisor is one task that serves notices: a child is ready, a child has
ended, a restart is due, somebody asks for something, it is to stop. It decides by pure
code, starts or stops, and waits for none of it: what it set going comes back as a
notice. So it can be asked for something, or to stop, at any moment.

* What happens to several children is a round: some stop, one at a time in reverse
  order, then some start, one at a time in order. Opening, closing and the restarts of
  one_for_all and rest_for_one are rounds, and there is one round at a time. Closing
  replaces whatever round there was.
* Under one_for_one a child's restart concerns nobody else and is no round. Under the
  other strategies whatever starts children is put off until the round under way is
  over, in the order in which it came, as if rounds took no time (OTP's order).
* A restart that fails is due again behind the notices that have come meanwhile (32), or
  after a pause. A pause is waited out by the child that failed and by those that share
  its restart, which are stopped at once; nobody else notices.
* A child that ends while its siblings stop is reported when its turn comes, and is not
  restarted on its own (34, 42).
* Giving up, an escalated error, the end of a significant child, being asked to stop and
  what must leave the tree (KeyboardInterrupt, SystemExit) differ only in how `run` ends.
* Being cancelled is being killed: all children are cancelled, the newest first, without
  waiting for one that takes time to end, and then waited for. No grandchild can leak, as
  rule 46 warns of: a nursery ends after its tasks. What is told of each is what OTP
  tells: a killed supervisor reports nothing, those below it stop their own children.

What outlives a child is its seat: its name and its mailbox, so that queued messages
survive a restart. A seat is vacated when nobody will follow, unless by request. A
supervisor that gives up takes the mailboxes of its children with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, assert_never, final

import trio

from airssys.contracts import (
    ExitKind,
    ExitReason,
    Started,
    SupervisorGaveUp,
    SupervisorSpec,
)
from airssys.nursery.children import (
    REORDERING,
    ChildRunner,
    Ended,
    Notice,
    Ready,
    Request,
    Requested,
    RestartRecord,
    RetryDue,
    Slot,
    SlotState,
    SlotStep,
    Start,
    StopAsked,
)
from airssys.nursery.restarts import (
    RETRY_PAUSE,
    Aim,
    Round,
    Stop,
    Verdict,
    answer_to_start,
    ends_supervisor,
    failure_to_start,
    judge_end,
    plan_attempt,
    sharing,
)

from ._ordered_children import OrderedChildren
from ._request_handler import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import ChildSpec
    from airssys.nursery.children import Child, Reply, Roster, SupervisorPlace


@final
class Supervisor:
    """One incarnation of a supervisor: an occupation, with children of its own."""

    def __init__(self, spec: SupervisorSpec, place: SupervisorPlace) -> None:
        path = self.path = place.path
        """Its own name after those of all above it, e.g. `root/workers`."""
        self._emit = place.events
        self._runner = ChildRunner(path, place.events)
        self._children = OrderedChildren(spec, self._runner, place)
        self._requests_handler = RequestHandler(self._children)
        self._account = RestartRecord(path, spec.intensity, place.rng)
        self._deferred: deque[Notice] = deque()
        """Put off until the round under way is over. Empty when there is none."""

    @property
    def roster(self) -> Roster:
        """The children's places, in start order; a temporary child takes its with it."""
        return self._children.roster

    @property
    def spec(self) -> SupervisorSpec:
        """What it goes by now."""
        return self._children.spec

    @property
    def is_up(self) -> bool:
        """Whether its children were all started, and it is not about to end."""
        children = self._children
        return self._runner.is_serving and children.is_open and not children.is_ending

    def take_place(self, spec: ChildSpec) -> None:
        """Take note of how its supervisor starts, stops and restarts it from now on."""
        self._children.take_place(spec)

    def note_below(self, before: ChildSpec, changed: ChildSpec) -> None:
        """Take note that a supervisor among its children goes by another one now."""
        self._children.note_below(before, changed)

    def stop_soon(self) -> bool:
        """Ask it to stop its children in order and to end."""
        self._runner.inbox.post(StopAsked())
        return True

    def hear_of_kill(self) -> None:
        """Hear that a supervisor above was killed; to be cancelled comes next."""
        self._runner.stops_its_children = True

    async def wait_until_all_heard(self) -> None:
        """Wait until all below have been cancelled or have ended; takes no time."""
        await self._runner.have_all_heard.wait()

    def ask(self, request: Request) -> Reply:
        """Ask it for something; the reply always comes."""
        return self._runner.ask(request)

    async def run(self, ready: Callable[[], None]) -> None:
        """Start the children, look after them until it is time to stop, stop them.

        Raises:
            GaveUp: it ran out of restarts.
            Stop: a significant child ended.
            StartFailed: a child did not start.
            Exception: an error of a child that asks for it.
            BaseException: what must leave the tree.
        """
        children, inbox = self._children, self._runner.inbox
        async with trio.open_nursery() as nursery:
            self._runner.begin_to_serve(nursery)
            try:
                children.open()
                children.go_on()
                await inbox.serve(
                    self._take, lambda: children.is_open or children.is_over
                )
                if children.is_open:
                    ready()
                await inbox.serve(self._take, lambda: children.is_over)
            finally:
                self._runner.is_serving = False
                await self._runner.kill_all(children.roster)  # noqa: ASYNC102  # shields itself
                self._close()
                # What is left in the nursery are pauses before another try.
                nursery.cancel_scope.cancel()
        if children.outcome is not None:
            raise children.outcome

    def _close(self) -> None:
        """Leave all places, and answer whatever was not answered."""
        self._children.settle_all()
        self._runner.refuse_unserved(self._deferred)

    # ------------------------------------------------- notices, one after the other

    def _take(self, notice: Notice) -> None:
        """Serve a notice, and those put off that can be served after it."""
        if self._must_wait(notice):
            self._deferred.append(notice)
            return
        self._serve(notice)
        self._children.go_on()
        while self._deferred and not self._must_wait(self._deferred[0]):
            self._serve(self._deferred.popleft())
            self._children.go_on()

    def _must_wait(self, notice: Notice) -> bool:
        """Say whether a notice has to wait for the round under way."""
        children = self._children
        if children.round is None or children.is_ending or not children.is_grouping:
            return False
        match notice:
            case Ended(child):
                slot = self._runner.slot_of(child)
                if slot is None or child.fatal is not None:
                    return False
                is_expected = slot is children.round.current
                return not is_expected and slot.state is not SlotState.STOPPING
            case RetryDue():
                return True
            case Requested(request):
                return isinstance(request, REORDERING)
            case _:
                return False

    def _serve(self, notice: Notice) -> None:
        match notice:
            case Ready(child):
                self._note_ready(child)
            case Ended(child, reason):
                self._note_end(child, reason)
            case RetryDue(slot):
                if slot.retry is notice and not self._children.is_ending:
                    self._attempt(slot)
            case Requested(request, reply):
                self._requests_handler.serve(request, reply)
                self._account.change(self._children.spec.intensity)
            case StopAsked():
                self._children.end(None)
            case _:
                assert_never(notice)

    def _note_ready(self, child: Child) -> None:
        slot = self._runner.slot_of(child)
        if slot is not None and slot.state is not SlotState.STOPPING:
            slot.note_ready(trio.current_time())
            slot.drop_arguments()
            self._runner.report_start(slot)
            slot.answer_start(Started(slot.name))
            self._children.pass_on(slot)

    def _note_end(self, child: Child, reason: ExitReason) -> None:
        slot = self._runner.slot_of(child)
        if slot is None:
            return
        if slot.state is SlotState.STOPPING:
            self._children.note_stopped(slot, child, reason)
            return
        if self._children.is_ending:
            return  # its turn to be stopped comes
        self._runner.dismiss(child)
        slot.answer_stops()  # those who had it killed
        if child.fatal is not None:
            self._runner.report_end(slot, child, reason, restarting=False)
            self._children.end(child.fatal)
        elif child.is_ready:
            self._note_own_end(slot, child, reason)
        else:
            self._note_failed_start(slot, child, reason)

    def _note_own_end(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        """Decide what follows the end of a child that ran."""
        spec = slot.spec
        verdict = judge_end(spec.restart, reason, spec.on_error)
        now, returns, pause = trio.current_time(), False, 0.0
        self._account.note_end(slot, now)
        if verdict is Verdict.RESTART:
            pause = self._account.pause_before(slot)
            returns = self._account.allows(now + pause)
        self._runner.report_end(slot, child, reason, restarting=returns)
        match verdict:
            case Verdict.RESTART:
                slot.move(SlotStep.WAIT)
                slot.last_end = reason
                if pause and returns:
                    self._wait(slot, pause)
                else:
                    self._attempt(slot)
            case Verdict.KEEP_STOPPED | Verdict.FORGET:
                slot.last_end = reason
                self._children.settle(slot)
                self._consider_shutdown(slot)
            case Verdict.ESCALATE:
                self._children.end(reason.error)
            case _:
                assert_never(verdict)

    def _consider_shutdown(self, slot: Slot) -> None:
        others = (s.is_active for s in self.roster if s.spec.significant)
        significant = slot.spec.significant
        mode = self._children.spec.auto_shutdown
        if ends_supervisor(mode, significant=significant, others_active=others):
            self._children.end(Stop(f"{slot.name}, which is significant, has ended"))

    def _note_failed_start(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        children = self._children
        is_ignored = reason.kind is ExitKind.IGNORED
        returns = slot.start is Start.AGAIN and not is_ignored
        self._runner.report_end(slot, child, reason, restarting=returns)
        slot.answer_start(answer_to_start(slot.name, reason))
        if is_ignored and slot.start is not Start.BY_HAND:  # then its place stays
            children.settle(slot)
            return
        match slot.start:
            case Start.FIRST:
                children.end(failure_to_start(self.path, slot.name, reason))
            case Start.ADDED:
                children.forget(slot)
            case Start.BY_HAND:
                slot.retire("it failed to start")
            case Start.AGAIN:
                if children.is_grouping:
                    children.round = (
                        None  # the rest of it stays down until the next try
                    )
                self._try_again(slot, reason)
            case _:
                assert_never(slot.start)
        children.pass_on(slot)

    # ------------------------------------------------------------------- restarts

    def _try_again(self, slot: Slot, reason: ExitReason) -> None:
        """Follow a restart that failed by another one."""
        slot.last_end = reason
        if reason.kind is ExitKind.REFUSED:
            slot.move(SlotStep.REFUSE)
            self._wait(slot, RETRY_PAUSE)
            return
        slot.move(SlotStep.WAIT)
        pause = self._account.pause_before(slot)
        if pause and not self._account.allows(trio.current_time() + pause):
            self._attempt(slot)  # nobody waits only to give up after it
        else:
            self._wait(slot, pause)

    def _wait(self, slot: Slot, pause: float) -> None:
        if pause and self._children.is_grouping:
            pause = self._clear_for(slot, pause)
        self._runner.retry(slot, pause)

    def _clear_for(self, slot: Slot, pause: float) -> float:
        """Stop those that share a restart which is due later; return the whole pause.

        It is the longest of those that anybody among them was waiting out.
        """
        group = sharing(self._children.spec.strategy, self.roster, slot)
        now = trio.current_time()
        for member in group:
            if member is not slot and member.retry is not None:
                pause = max(pause, member.retry_at - now)
                member.be_down()
        stop = (member for member in reversed(group) if member.is_occupied)
        self._children.round = Round(Aim.CLEARING, to_stop=stop, returning=group)
        return pause

    def _attempt(self, slot: Slot) -> None:
        """Count a restart, and make it or give up."""
        children = self._children
        if slot.state is not SlotState.REFUSED:
            self._account.count(trio.current_time())
        window = self._account.window
        attempt = plan_attempt(children.spec.strategy, self.roster, slot, window)
        if attempt.gives_up:
            gave_up = self._account.give_up(slot)
            offence = gave_up.chain[-1]
            self._emit(SupervisorGaveUp(self.path, offence, spec=slot.spec))
            children.end(gave_up)
        elif children.is_grouping:
            for member in attempt.start:
                if not member.is_occupied:
                    member.be_down()
            start = attempt.start
            children.round = Round(Aim.RESTART, attempt.stop, start, returning=start)
        else:
            children.start(slot, Start.AGAIN)
