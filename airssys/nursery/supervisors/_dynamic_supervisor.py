"""Children that come and go while their supervisor runs.

OTP's simple_one_for_one and Elixir's DynamicSupervisor in one: children are made from a
template and arguments, or each from a specification of its own. They have no order:
each is restarted on its own, nothing is kept of one that is gone, and all stop at the
same time, under one timer. A supervisor with ordered children is another thing, with
other data: see `_supervisor`.

Notices are served as there: one after the other, waiting for none of what they set
going. There are no rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, assert_never, final

import trio

from airssys.contracts import (
    Answer,
    ChildSpec,
    Done,
    DynamicSupervisorSpec,
    ExitKind,
    ExitReason,
    Refusal,
    Refused,
    Started,
    SupervisorGaveUp,
    find_spec_mistakes,
    is_fatal,
)
from airssys.nursery.children import (
    ChangeSpecs,
    ChildRunner,
    DeleteChild,
    Ended,
    KillChild,
    Notice,
    Ready,
    Request,
    Requested,
    RestartChild,
    RestartRecord,
    RetryDue,
    Roster,
    Slot,
    SlotState,
    SlotStep,
    Start,
    StartChild,
    StartFromTemplate,
    StopAsked,
    TerminateChild,
)
from airssys.nursery.restarts import (
    RETRY_PAUSE,
    Verdict,
    answer_to_start,
    in_place_of,
    judge_end,
    remade_from,
    why_children_end,
)

from ._dynamic_start import ChildAdmission
from ._request_handler import kill_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.nursery.children import Child, Reply, SupervisorPlace


class Controller(Protocol):
    """Decides, beside a supervisor, which children there should be."""

    async def work(self) -> None:
        """Ask for children to be started and stopped; cancelled at the end."""
        ...

    def close(self) -> None:
        """Take note that the supervisor ends; perhaps more than once."""
        ...


@final
class DynamicSupervisor:
    """One incarnation of a supervisor of dynamic children: an occupation."""

    def __init__(
        self,
        spec: DynamicSupervisorSpec,
        place: SupervisorPlace,
        controller: Controller | None = None,
    ) -> None:
        path = self.path = place.path
        self._office, self._names, self._record = controller, place.names, place.record
        self._emit, self._make_seat = place.events, place.make_seat
        self._runner = ChildRunner(path, place.events)
        self._account = RestartRecord(path, spec.intensity, place.rng)
        self._admissions = ChildAdmission(spec, place.names, path.count("/"))
        self.roster = Roster()
        """The children there are, in the order in which they came."""
        self._is_ending = False
        self._outcome: BaseException | None = None

    @property
    def spec(self) -> DynamicSupervisorSpec:
        """What it goes by now."""
        return self._admissions.spec

    @property
    def is_up(self) -> bool:
        """Whether it looks after its children, and is not about to end."""
        return self._runner.is_serving and not self._is_ending

    def take_place(self, spec: ChildSpec) -> None:
        """Take note of how its supervisor starts, stops and restarts it from now on."""
        if isinstance(spec, DynamicSupervisorSpec):
            self._admissions.spec = in_place_of(spec, self.spec)

    def stop_soon(self) -> bool:
        """Ask it to stop its children and to end."""
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
        """Look after children until it is time to stop, then stop them all at once.

        Raises:
            GaveUp: it ran out of restarts.
            Exception: an error of a child that asks for it.
            BaseException: what must leave the tree.
        """
        async with trio.open_nursery() as nursery:
            self._runner.begin_to_serve(nursery)
            try:
                ready()
                if self._office is not None:
                    nursery.start_soon(self._office.work)
                await self._runner.inbox.serve(self._serve, self._is_over)
            finally:
                self._runner.is_serving = False
                self._tell_office()
                await self._runner.kill_all(self.roster, together=True)  # noqa: ASYNC102  # shields itself
                self._close()
                # What is left in the nursery are pauses before another try.
                nursery.cancel_scope.cancel()
        if self._outcome is not None:
            raise self._outcome

    def end(self, outcome: BaseException) -> None:
        """Stop all children and end with this error."""
        self._end(outcome)
        self._runner.inbox.post(StopAsked())

    def _is_over(self) -> bool:
        return self._is_ending and len(self.roster) == 0

    def _tell_office(self) -> None:
        if self._office is not None:
            self._office.close()

    def _close(self) -> None:
        for slot in tuple(self.roster):
            self._forget(slot)
        self._runner.refuse_unserved()

    def _serve(self, notice: Notice) -> None:
        match notice:
            case Ready(child):
                self._note_ready(child)
            case Ended(child, reason):
                self._note_end(child, reason)
            case RetryDue(slot):
                if slot.retry is notice:
                    self._attempt(slot)
            case Requested(request, reply):
                self._serve_request(request, reply)
            case StopAsked():
                self._end(None)
            case _:
                assert_never(notice)

    def _note_ready(self, child: Child) -> None:
        slot = self._runner.slot_of(child)
        if slot is None or slot.state is SlotState.STOPPING:
            return
        slot.note_ready(trio.current_time())
        slot.drop_arguments()
        self._runner.report_start(slot)
        slot.answer_start(Started(slot.name))

    def _note_end(self, child: Child, reason: ExitReason) -> None:
        slot = self._runner.slot_of(child)
        if slot is None:
            return
        if slot.state is SlotState.STOPPING:
            self._note_stopped(slot, child, reason)
            return
        self._runner.dismiss(child)
        slot.answer_stops()  # those who had it killed
        if child.fatal is not None:
            self._runner.report_end(slot, child, reason, restarting=False)
            self._forget(slot)
            self._end(child.fatal)
        elif child.is_ready:
            self._note_own_end(slot, child, reason)
        else:
            self._note_failed_start(slot, child, reason)

    def _note_stopped(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        """Take note that a child is gone that was stopped, or had ended before that."""
        slot.move(SlotStep.STOP)
        self._runner.dismiss(child)
        self._runner.report_stop(slot, child, reason)
        self._forget(slot)
        if child.fatal is not None:
            self._end(child.fatal)

    def _note_own_end(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        spec, now = slot.spec, trio.current_time()
        verdict = judge_end(spec.restart, reason, spec.on_error)
        self._account.note_end(slot, now)
        if verdict is not Verdict.RESTART:
            self._runner.report_end(slot, child, reason, restarting=False)
            self._forget(slot)
            if verdict is Verdict.ESCALATE:
                self._end(reason.error)
            return
        pause = self._account.pause_before(slot)
        returns = self._account.allows(now + pause)
        self._runner.report_end(slot, child, reason, restarting=returns)
        slot.move(SlotStep.WAIT)
        slot.last_end = reason
        if pause and returns:
            self._runner.retry(slot, pause)
        else:
            self._attempt(slot)

    def _note_failed_start(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        is_ignored = reason.kind is ExitKind.IGNORED
        returns = slot.start is Start.AGAIN and not is_ignored
        self._runner.report_end(slot, child, reason, restarting=returns)
        if returns:
            self._try_again(slot, reason)
            return
        slot.answer_start(answer_to_start(slot.name, reason))
        self._forget(slot)

    def _try_again(self, slot: Slot, reason: ExitReason) -> None:
        """Follow a restart that failed by another one."""
        slot.last_end = reason
        if reason.kind is ExitKind.REFUSED:
            slot.move(SlotStep.REFUSE)
            self._runner.retry(slot, RETRY_PAUSE)
            return
        slot.move(SlotStep.WAIT)
        pause = self._account.pause_before(slot)
        if pause and not self._account.allows(trio.current_time() + pause):
            self._attempt(slot)
        else:
            self._runner.retry(slot, pause)

    def _attempt(self, slot: Slot) -> None:
        """Count a restart, and make it or give up."""
        if slot.state is not SlotState.REFUSED:
            self._account.count(trio.current_time())
        if self._account.window.is_exceeded:
            gave_up = self._account.give_up(slot)
            offence = gave_up.chain[-1]
            self._emit(SupervisorGaveUp(self.path, offence, spec=slot.spec))
            self._forget(slot)
            self._end(gave_up)
        else:
            self._runner.start(slot, Start.AGAIN)

    def _end(self, outcome: BaseException | None) -> None:
        """Stop all children at once; what must leave the tree outweighs the rest."""
        if self._is_ending:
            if is_fatal(outcome) and not is_fatal(self._outcome):
                self._outcome = outcome
            return
        self._is_ending, self._outcome = True, outcome
        self._tell_office()
        for slot in tuple(self.roster):
            child = slot.child
            if child is None:
                self._forget(slot)
            elif child.reason is not None:  # it is not judged: nobody is started now
                self._note_stopped(slot, child, child.reason)
        self._runner.stop_together(self.roster)

    def _forget(self, slot: Slot) -> None:
        """Keep nothing of a child that is gone, and answer those who waited for that."""
        # One that went by itself is not remembered: its name need not come again.
        why = why_children_end(self.path, self._outcome) if self._is_ending else ""
        slot.retire(why)
        self.roster.remove(slot)
        self._names.note_gone(slot.name)
        slot.answer_start(Refused(Refusal.CUT_OFF, slot.name))
        slot.answer_stops()

    # ------------------------------------------------------------------- requests

    def _serve_request(self, request: Request, reply: Reply) -> None:
        match request:
            case StartChild() | StartFromTemplate():
                self._start(request, reply)
            case TerminateChild(name):
                self._terminate(name, reply)
            case KillChild(name):
                self._kill(name, reply)
            case RestartChild(name) | DeleteChild(name):
                reply.give(Refused(Refusal.DYNAMIC, name))
            case ChangeSpecs(spec):
                reply.give(self._change(spec))
            case _:
                assert_never(request)

    def _start(self, request: StartChild | StartFromTemplate, reply: Reply) -> None:
        if self._is_ending:
            reply.give(Refused(Refusal.NOT_RUNNING))
            return
        spec = self._admissions.judge(request, self.roster)
        if isinstance(spec, Refused):
            reply.give(spec)
            return
        slot = Slot(spec, self._make_seat(spec))
        slot.start_reply = reply
        self.roster.add(slot)
        if isinstance(request, StartFromTemplate):
            self._names.note_present(slot.name)
        self._runner.start(slot, Start.ADDED)

    def _terminate(self, name: str, reply: Reply) -> None:
        slot = self.roster.find(name)
        if slot is None:
            reply.give(self._answer_for_absent(name))
            return
        slot.stop_replies += (reply,)
        child = slot.child
        if child is None:
            self._forget(slot)
        elif child.reason is None:
            self._runner.stop(slot)
        else:
            self._note_stopped(slot, child, child.reason)

    def _kill(self, name: str, reply: Reply) -> None:
        slot = self.roster.find(name)
        if slot is None:
            reply.give(self._answer_for_absent(name))
        else:
            kill_in(slot, reply)

    def _answer_for_absent(self, name: str) -> Answer:
        """One that was made from a template and is gone is as good as stopped."""
        is_over = self._names.is_over(name)
        return Done(name) if is_over else Refused(Refusal.NOT_FOUND, name)

    def _change(self, spec: ChildSpec) -> Answer:
        if not isinstance(spec, DynamicSupervisorSpec):
            return Refused(Refusal.INVALID_SPEC, self.path)
        if mistakes := tuple(find_spec_mistakes(spec)):
            return Refused(Refusal.INVALID_SPEC, mistakes=mistakes)
        self._admissions.spec = changed = in_place_of(self.spec, spec)
        self._record(changed, spec)
        self._account.change(spec.intensity)
        template = spec.template
        for slot in self.roster:
            if template is not None and self._names.is_present(slot.name):
                slot.change_spec(remade_from(template, slot.spec))
        return Done()
