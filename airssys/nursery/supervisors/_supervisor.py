"""Carries restart plans out: one supervisor, one round after the other.

Theory. A supervisor is one task that serves notices: a child is ready, a child has
ended, a restart is due, a request has come, it is to stop. It decides by pure
code, starts or stops, and waits for none of it: what it set going comes back as a
notice. So it can be asked for something, or to stop, at any moment.

* What happens to several children is a round: some stop, one at a time in reverse
  order, then some start, one at a time in order. Opening, closing and the restarts of
  one_for_all and rest_for_one are rounds, and there is one round at a time. Closing
  replaces whatever round there was.
* Under one_for_one a child is restarted on its own, without a round. Under the
  other strategies whatever starts children is put off until the round under way is
  over, in the order in which it came, as if rounds took no time (OTP's order).
* A restart that fails is due again behind the notices that have come meanwhile (32), or
  after a pause. A pause is waited out by the child that failed and by those that share
  its restart, which are stopped at once; other children are not affected.
* A child that ends while its siblings stop is reported when its turn comes, and is not
  restarted on its own (34, 42).
* An end because of which the supervisor is to end is judged when all children have been
  started: the child did start, so the start of its supervisor has not failed (12, 13).
* Giving up, an escalated error, the end of a significant child, being asked to stop and
  what must leave the tree (KeyboardInterrupt, SystemExit) differ only in how `run` ends.
* A cancelled supervisor counts as killed: all children are cancelled, the newest first, without
  waiting for one that takes time to end, and then waited for. No grandchild can leak, as
  rule 46 warns of: a nursery ends after its tasks. What is reported of each is what
  OTP reports: a killed supervisor reports nothing, those below it stop their own children.

What outlives a child is its cell: its name and its mailbox, so that queued messages
survive a restart. A cell is released when no incarnation follows, unless by request. A
supervisor that gives up takes the mailboxes of its children with it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol, assert_never, final

import trio

from airssys.contracts import (
    ExitKind,
    ExitReason,
    Started,
    SupervisorGaveUp,
    SupervisorSpec,
)
from airssys.nursery.children import (
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
    Cause,
    Stop,
    Verdict,
    ends_supervisor,
    failure_to_start,
    judge_end,
    plan_attempt,
)

from ._children_in_rounds import ChildrenInRounds
from ._dynamic_requests import DynamicRequestHandler
from ._policy import Closing, DynamicPolicy, OrderedPolicy
from ._request_handler import RequestHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import DynamicSupervisorSpec
    from airssys.nursery.children import Child, Reply, Roster, SupervisorSetup


class Controller(Protocol):
    """Decides, beside a supervisor, which children there should be."""

    async def work(self) -> None:
        """Ask for children to be started and stopped; cancelled at the end."""
        ...

    def close(self) -> None:
        """Take note that the supervisor ends; perhaps more than once."""
        ...


@final
class Supervisor:
    """One incarnation of a supervisor, with children of its own.

    Args:
        setup: what it is given by its cell; the class of what it is declared to be
            says by which policy it works.
        controller: decides which children there are, beside it; None if none does.
    """

    def __init__(
        self, setup: SupervisorSetup, controller: Controller | None = None
    ) -> None:
        path = self.path = setup.path
        """Its own name after those of all above it, e.g. `root/workers`."""
        self._emit, self._controller = setup.events, controller
        self._runner = ChildRunner(path, setup.events, self._note_end)
        self._closing = Closing(path)
        runner, closing = self._runner, self._closing
        self._children, self._serve_request = _children_for(setup, runner, closing)
        self._account = RestartRecord(path, self.spec.intensity, setup.rng)
        self._deferred: deque[Notice] = deque()
        """Put off until the round in progress is over. Empty when there is none."""

    @property
    def roster(self) -> Roster:
        """The slots of its children; a temporary child takes its slot with it."""
        return self._children.roster

    @property
    def spec(self) -> SupervisorSpec | DynamicSupervisorSpec:
        """Its specification, as it is now."""
        return self._children.spec

    @property
    def is_up(self) -> bool:
        """Whether its children were all started, and it is not about to end."""
        is_closing = self._closing.has_begun
        return self._runner.is_serving and self._children.is_open and not is_closing

    def stop_soon(self) -> bool:
        """Ask it to stop its children and to end."""
        self._runner.inbox.post(StopAsked())
        return True

    def end(self, outcome: BaseException) -> None:
        """Stop all children and end with this error."""
        self._end(outcome)
        self._runner.inbox.post(StopAsked())

    def note_kill_above(self) -> None:
        """Note that a supervisor above was killed; this one is cancelled next."""
        self._runner.stops_its_children = True

    async def wait_until_all_cancelled(self) -> None:
        """Wait until all below have been cancelled or have ended; takes no time."""
        await self._runner.all_cancelled.wait()

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
            BaseException: an error that must leave the tree.
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
                    if self._controller is not None:
                        nursery.start_soon(self._controller.work)
                await inbox.serve(self._take, lambda: children.is_over)
            finally:
                self._runner.is_serving = False
                self._close_controller()
                together = children.stops_together
                await self._runner.kill_all(children.roster, together=together)  # noqa: ASYNC102  # shields itself
                children.close()
                self._runner.refuse_unserved(self._deferred)
                # What is left in the nursery are pauses before another try.
                nursery.cancel_scope.cancel()
        if self._closing.outcome is not None:
            raise self._closing.outcome

    def _close_controller(self) -> None:
        if self._controller is not None:
            self._controller.close()

    def _end(self, outcome: BaseException | None, cause: Slot | None = None) -> None:
        """Stop all children for good, perhaps because of one that has ended."""
        if self._closing.begin(outcome):
            self._close_controller()
            self._children.stop_all(cause)

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
        return self._children.must_wait(notice) or self._ends_too_early(notice)

    def _ends_too_early(self, notice: Notice) -> bool:
        """Return whether the supervisor would end before its children were started."""
        if self._children.is_open or self._closing.has_begun:
            return False
        match notice:
            case Ended(child, reason) if child.is_ready and child.fatal is None:
                slot = self._runner.slot_of(child)
                if slot is None or slot.state is SlotState.STOPPING:
                    return False
                return self._would_end(slot, reason)
            case RetryDue(slot):
                counts = slot.retry is notice and slot.state is not SlotState.REFUSED
                return counts and not self._account.allows(trio.current_time())
            case _:
                return False

    def _would_end(self, slot: Slot, reason: ExitReason) -> bool:
        match judge_end(slot.spec.restart, reason, slot.spec.on_error):
            case Verdict.RESTART:
                return not self._account.allows(trio.current_time())
            case Verdict.ESCALATE:
                return True
            case _:
                return self._shuts_down_after(slot)

    def _serve(self, notice: Notice) -> None:
        match notice:
            case Ready(child):
                self._note_ready(child)
            case Ended(child, reason):
                self._note_end(child, reason)
            case RetryDue(slot):
                if slot.retry is notice and not self._closing.has_begun:
                    self._attempt(slot)
            case Requested(request, reply):
                self._serve_request(request, reply)
                self._account.change(self._children.spec.intensity)
            case StopAsked():
                self._end(None)
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

    # ------------------------------------------------------- the end of a child

    def _note_end(self, child: Child, reason: ExitReason) -> None:
        """Serve the end of a child: every end that is not one of a killed supervisor.

        | the child                            | reported as | then                  |
        |--------------------------------------|-------------|-----------------------|
        | was served before                    |             |                       |
        | was being stopped, or its turn came  | stopped     | its slot is settled   |
        | ended while the supervisor closes    |             | its turn comes        |
        | raised KeyboardInterrupt, SystemExit | own         | the supervisor ends   |
        | was ready                            | own         | see `_note_own_end`   |
        | was not ready                        | own         | `_note_failed_start`  |
        """
        slot = self._runner.slot_of(child)
        if slot is None:
            return
        if slot.state is SlotState.STOPPING:
            self._runner.report_end(slot, child, reason, Cause.STOPPED)
            self._children.settle(slot)
            if child.fatal is not None:
                self._end(child.fatal)
            return
        if self._closing.has_begun:
            return
        slot.answer_stops()  # the requests to kill it
        if child.fatal is not None:
            self._runner.report_end(slot, child, reason, Cause.OWN)
            self._end(child.fatal, slot)
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
        self._runner.report_end(slot, child, reason, Cause.OWN, restarting=returns)
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
                if self._shuts_down_after(slot):
                    self._end(Stop(f"{slot.name}, which is significant, has ended"))
            case Verdict.ESCALATE:
                self._end(reason.error, slot)
            case _:
                assert_never(verdict)

    def _shuts_down_after(self, slot: Slot) -> bool:
        others = (s for s in self.roster if s.spec.significant and s is not slot)
        return ends_supervisor(
            self._children.auto_shutdown,
            significant=slot.spec.significant,
            others_active=(other.is_active for other in others),
        )

    def _note_failed_start(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        """Decide what follows the end of a child that was never ready."""
        children = self._children
        is_ignored = reason.kind is ExitKind.IGNORED
        returns = slot.start is Start.AGAIN and not is_ignored
        self._runner.report_end(slot, child, reason, Cause.OWN, restarting=returns)
        if is_ignored and slot.start is not Start.BY_HAND:  # then its slot stays
            children.settle(slot)
            return
        match slot.start:
            case Start.FIRST:
                self._end(failure_to_start(self.path, slot.name, reason))
            case Start.ADDED:
                children.forget(slot)
            case Start.BY_HAND:
                slot.retire("it failed to start")
            case Start.AGAIN:
                children.break_off()
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
            self._attempt(slot)  # it would only give up after the pause
        else:
            self._wait(slot, pause)

    def _wait(self, slot: Slot, pause: float) -> None:
        whole = self._children.clear_for(slot, pause) if pause else pause
        self._runner.retry(slot, whole)

    def _attempt(self, slot: Slot) -> None:
        """Count a restart, and make it or give up."""
        if slot.state is not SlotState.REFUSED:
            self._account.count(trio.current_time())
        strategy, window = self._children.strategy, self._account.window
        attempt = plan_attempt(strategy, self.roster, slot, window)
        if attempt.gives_up:
            gave_up = self._account.give_up(slot)
            exceeded = gave_up.chain[-1]
            self._emit(SupervisorGaveUp(self.path, exceeded, spec=slot.spec))
            self._end(gave_up, slot)
        else:
            self._children.restart(slot, attempt)


def _children_for(
    setup: SupervisorSetup, runner: ChildRunner, closing: Closing
) -> tuple[ChildrenInRounds, Callable[[Request, Reply], None]]:
    """Return the children, by the policy that is declared, and what serves requests."""
    if isinstance(setup.declared.running, SupervisorSpec):
        children = ChildrenInRounds(OrderedPolicy(), setup, runner, closing)
        return children, RequestHandler(children).serve
    names = setup.names
    children = ChildrenInRounds(DynamicPolicy(names), setup, runner, closing)
    return children, DynamicRequestHandler(children, names).serve
