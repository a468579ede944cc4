"""What may be asked of a running supervisor, and what it does about it.

Every request is answered, and at once unless a child has to become ready or to end
first. Which states refuse what is a table. The order of effects is OTP's: a request is
served after the notices that came before it, and under a group strategy one that starts
children is served after the round under way. Terminating does not wait: it cuts a
start off and cancels a restart that is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never, final

from airssys.contracts import (
    ChildSpec,
    Done,
    Presence,
    Refusal,
    Refused,
    SupervisorSpec,
    child_name,
)
from airssys.nursery.children import (
    PRESENCES,
    ChangeSpecs,
    DeleteChild,
    KillChild,
    Request,
    RestartChild,
    Slot,
    SlotState,
    Start,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)
from airssys.nursery.restarts import merged_order

if TYPE_CHECKING:
    from airssys.nursery.children import Reply

    from ._children_in_rounds import ChildrenInRounds


NOT_STOPPED: Final = {
    Presence.RUNNING: Refusal.RUNNING,
    Presence.RESTARTING: Refusal.RESTARTING,
}
"""Why a child can be neither deleted nor restarted."""


def kill_in(slot: Slot, reply: Reply) -> None:
    """Kill the child in a place, if there is one, and answer when its end is judged."""
    child = slot.child
    if child is None or child.reason is not None:
        reply.give(Done(slot.name))
    else:
        slot.stop_replies += (reply,)
        child.kill(asked=slot.state is SlotState.STOPPING)


@final
class RequestHandler:
    """Serves the requests to one supervisor, one after the other."""

    def __init__(self, children: ChildrenInRounds) -> None:
        self._children = children

    def serve(self, request: Request, reply: Reply) -> None:
        """Do what is asked for, or say why not; the reply may be given later."""
        match request:
            case StartChild(spec):
                self._start(spec, reply)
            case StartFromTemplate():
                reply.give(Refused(Refusal.NO_TEMPLATE))
            case TerminateChild(name):
                self._terminate(name, reply)
            case KillChild(name):
                self._kill(name, reply)
            case RestartChild(name):
                self._restart(name, reply)
            case DeleteChild(name):
                self._delete(name, reply)
            case ChangeSpecs(spec):
                self._change(spec, reply)
            case _:
                assert_never(request)

    def _start(self, spec: ChildSpec, reply: Reply) -> None:
        children = self._children
        if children.is_ending:
            reply.give(Refused(Refusal.NOT_RUNNING))
        elif mistakes := children.mistakes_of(spec):
            reply.give(Refused(Refusal.INVALID_SPEC, mistakes=mistakes))
        elif (slot := children.roster.find(child_name(spec))) is not None:
            runs = slot.is_occupied and slot.state is not SlotState.RESTARTING
            why = Refusal.ALREADY_STARTED if runs else Refusal.ALREADY_PRESENT
            reply.give(Refused(why, slot.name))
        else:
            slot = children.place(spec)
            slot.start_reply = reply
            children.roster.add(slot)
            children.admit(slot, Start.ADDED)

    def _terminate(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if slot is None:
            reply.give(Refused(Refusal.NOT_FOUND, name))
            return
        slot.stop_replies += (reply,)
        self._children.dismiss(slot)

    def _kill(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if slot is None:
            reply.give(Refused(Refusal.NOT_FOUND, name))
        else:
            kill_in(slot, reply)

    def _restart(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if self._children.is_ending:
            reply.give(Refused(Refusal.NOT_RUNNING))
        elif slot is None:
            reply.give(Refused(Refusal.NOT_FOUND, name))
        elif (refusal := self._not_stopped(slot)) is not None:
            reply.give(Refused(refusal, name))
        else:
            slot.start_reply = reply
            self._children.admit(slot, Start.BY_HAND)

    def _delete(self, name: str, reply: Reply) -> None:
        slot = self._children.roster.find(name)
        if slot is None:
            reply.give(Refused(Refusal.NOT_FOUND, name))
        elif (refusal := self._not_stopped(slot)) is not None:
            reply.give(Refused(refusal, name))
        else:
            slot.retire("")
            self._children.roster.remove(slot)
            reply.give(Done(name))

    def _not_stopped(self, slot: Slot) -> Refusal | None:
        if self._children.is_due(slot):
            return Refusal.RESTARTING
        return NOT_STOPPED.get(PRESENCES[slot.state])

    def _change(self, spec: ChildSpec, reply: Reply) -> None:
        children = self._children
        if children.is_ending:
            reply.give(Refused(Refusal.NOT_RUNNING))
            return
        mistakes = children.mistakes_of_change(spec)
        if mistakes or not isinstance(spec, SupervisorSpec):
            reply.give(Refused(Refusal.INVALID_SPEC, mistakes=mistakes))
            return
        before = [slot.name for slot in children.roster]
        children.change(spec)
        for child in children.declared:
            slot = children.roster.find(child_name(child))
            if slot is None:
                children.roster.add(children.place(child))
            else:
                slot.declared.declare_again(child)
        children.roster.reorder(merged_order(before, map(child_name, spec.children)))
        reply.give(Done())
