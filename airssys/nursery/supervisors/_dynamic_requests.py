"""What may be asked of a dynamic supervisor, and what it does about it.

It is OTP's simple_one_for_one and Elixir's DynamicSupervisor in one: children are made
from a template and arguments, or each from a specification of its own. They come and go
while it runs, and have no order: each is restarted on its own, nothing is kept of a child
that is gone, and all are stopped at the same time, each kind of shutdown time under one
timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, final

from airssys.contracts import (
    Answer,
    ChildSpec,
    Done,
    DynamicSupervisorSpec,
    InternalError,
    Refusal,
    Refused,
)
from airssys.nursery.children import (
    ChangeSpecs,
    DeleteChild,
    KillChild,
    RestartChild,
    Start,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)
from airssys.nursery.restarts import remade_from

from ._dynamic_start import ChildAdmission
from ._request_handler import kill_in

if TYPE_CHECKING:
    from airssys.nursery.children import GivenNames, Reply, Request

    from ._children_in_rounds import ChildrenInRounds


@final
class DynamicRequestHandler:
    """Serves the requests to a dynamic supervisor or to the supervisor of a pool."""

    def __init__(self, children: ChildrenInRounds, names: GivenNames) -> None:
        self._children, self._names = children, names
        self._admissions = ChildAdmission(names, children.mistakes_of)

    @property
    def _rules(self) -> DynamicSupervisorSpec:
        spec = self._children.spec
        if isinstance(spec, DynamicSupervisorSpec):
            return spec
        raise InternalError(f"{spec.name} is not a dynamic supervisor")

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
        children = self._children
        if children.is_ending:
            reply.give(Refused(Refusal.NOT_RUNNING))
            return
        spec = self._admissions.judge(request, self._rules, children.roster)
        if isinstance(spec, Refused):
            reply.give(spec)
            return
        slot = children.place(spec)
        slot.start_reply = reply
        children.roster.add(slot)
        if isinstance(request, StartFromTemplate):
            self._names.note_present(slot.name)
        children.start(slot, Start.ADDED)

    def _terminate(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if slot is None:
            reply.give(self._answer_for_absent(name))
            return
        slot.stop_replies += (reply,)
        self._children.stop(slot)

    def _kill(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if slot is None:
            reply.give(self._answer_for_absent(name))
        else:
            kill_in(slot, reply)

    def _answer_for_absent(self, name: str) -> Answer:
        """One that was made from a template and is gone is as good as stopped."""
        is_over = self._names.is_over(name)
        return Done(name) if is_over else Refused(Refusal.NOT_FOUND, name)

    def _change(self, spec: ChildSpec) -> Answer:
        children = self._children
        mistakes = children.mistakes_of_change(spec)
        if mistakes or not isinstance(spec, DynamicSupervisorSpec):
            return Refused(Refusal.INVALID_SPEC, mistakes=mistakes)
        children.change(spec)
        template = spec.template
        for slot in children.roster:
            if template is not None and self._names.is_present(slot.name):
                slot.declared.declare_again(remade_from(template, slot.spec))
        return Done()
