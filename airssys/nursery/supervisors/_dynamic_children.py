"""Children that come and go while their supervisor runs.

This is one of the two policies of a supervisor, see `_policy`. It is OTP's
simple_one_for_one and Elixir's DynamicSupervisor in one: children are made from a
template and arguments, or each from a specification of its own. They have no order: each
is restarted on its own, nothing is kept of a child that is gone, and all are stopped at
the same time, each kind of shutdown time under one timer. There are no rounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never, final

from airssys.contracts import (
    Answer,
    AutoShutdown,
    ChildSpec,
    Done,
    DynamicSupervisorSpec,
    InternalError,
    Refusal,
    Refused,
    Strategy,
)
from airssys.nursery.children import (
    ChangeSpecs,
    DeleteChild,
    KillChild,
    RestartChild,
    Roster,
    Slot,
    Start,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)
from airssys.nursery.restarts import Declared, mistakes_of_change, remade_from

from ._dynamic_start import ChildAdmission
from ._request_handler import kill_in

if TYPE_CHECKING:
    from airssys.nursery.children import (
        ChildRunner,
        Notice,
        Reply,
        Request,
        SupervisorSetup,
    )
    from airssys.nursery.restarts import Attempt

    from ._policy import Closing


@final
class DynamicChildren:
    """The children of a dynamic supervisor or of a pool."""

    strategy: Final = Strategy.ONE_FOR_ONE
    auto_shutdown: Final = AutoShutdown.NEVER
    stops_together: Final = True

    def __init__(
        self,
        setup: SupervisorSetup,
        runner: ChildRunner,
        closing: Closing,
    ) -> None:
        self._runner, self._closing = runner, closing
        self._path, self._declared = setup.path, setup.declared
        self._make_cell, self._names = setup.make_cell, setup.names
        self._admissions = ChildAdmission(setup.names, setup.path.count("/"))
        self.roster = Roster()
        """The children there are, in the order in which they came."""
        self.is_open = True
        """Always: no child is declared."""

    @property
    def spec(self) -> DynamicSupervisorSpec:
        """The specification of the supervisor, as it is now."""
        spec = self._declared.declaration.running
        if not isinstance(spec, DynamicSupervisorSpec):
            raise InternalError(f"{self._path} is not a dynamic supervisor")
        return spec

    @property
    def is_over(self) -> bool:
        """Whether the supervisor was about to end, and all children are gone."""
        return self._closing.has_begun and len(self.roster) == 0

    def open(self) -> None:
        """Do nothing: children are started by request."""

    def go_on(self) -> None:
        """Do nothing: there are no rounds."""

    def must_wait(self, _: Notice) -> bool:
        """Return that no notice has to wait."""
        return False

    def pass_on(self, slot: Slot) -> None:
        """Do nothing: no child waits for its turn."""

    def break_off(self) -> None:
        """Do nothing: no child shares the restart of another one."""

    def clear_for(self, _: Slot, pause: float) -> float:
        """Return the pause: no child shares the restart of another one."""
        return pause

    def restart(self, slot: Slot, _: Attempt[Slot]) -> None:
        """Restart a child."""
        self._runner.start(slot, Start.AGAIN)

    def stop_all(self, cause: Slot | None) -> None:
        """Stop all children at the same time."""
        if cause is not None:
            self._forget(cause, "")
        for slot in tuple(self.roster):
            if slot.child is None:
                self.forget(slot)
            elif slot.child.reason is not None:
                self._runner.stop(slot)
        self._runner.stop_together(self.roster)

    def close(self) -> None:
        """Remove all slots; every request that waits for one is answered."""
        for slot in tuple(self.roster):
            self.forget(slot)

    def settle(self, slot: Slot) -> None:
        """Remove the slot of a child that is gone: nothing is kept of it."""
        self.forget(slot)

    def forget(self, slot: Slot) -> None:
        """Remove the slot of a child that is gone, and answer those that wait for it."""
        # The name of a child that went by itself is not remembered: it may never come
        # again, and there may be many.
        self._forget(slot, self._closing.why() if self._closing.has_begun else "")

    def _forget(self, slot: Slot, why: str) -> None:
        slot.retire(why)
        self.roster.remove(slot)
        self._names.note_gone(slot.name)
        slot.answer_start(Refused(Refusal.CUT_OFF, slot.name))
        slot.answer_stops()

    # ------------------------------------------------------------------- requests

    def serve(self, request: Request, reply: Reply) -> None:
        """Do what is asked for, or refuse it; the reply may be given later."""
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
        if self._closing.has_begun:
            reply.give(Refused(Refusal.NOT_RUNNING))
            return
        spec = self._admissions.judge(request, self.spec, self.roster)
        if isinstance(spec, Refused):
            reply.give(spec)
            return
        declared = Declared(spec, self._declared)
        slot = Slot(declared, self._make_cell(declared))
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
        if slot.child is None:
            self.forget(slot)
        else:
            self._runner.stop(slot)

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
        above = self._path.count("/")
        mistakes = mistakes_of_change(self.spec, spec, above=above)
        if mistakes or not isinstance(spec, DynamicSupervisorSpec):
            return Refused(Refusal.INVALID_SPEC, mistakes=mistakes)
        self._declared.change(spec)
        template = spec.template
        for slot in self.roster:
            if template is not None and self._names.is_present(slot.name):
                slot.declared.declare_again(remade_from(template, slot.spec))
        return Done()
