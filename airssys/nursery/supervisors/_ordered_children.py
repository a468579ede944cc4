"""The children of one supervisor in their places, and the round under way.

What is done to children is done here: placed, started, stopped, their places settled
when they are gone, those answered who waited for it. Why is not known here. That is for
the supervisor, which hears the crew's notices, and for the desk, which hears requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import (
    ChildSpec,
    Mistake,
    Refusal,
    Refused,
    RestartType,
    Strategy,
    SupervisorSpec,
    child_name,
    find_child_mistakes,
    is_a,
    is_fatal,
)
from airssys.nursery.children import Roster, Slot, SlotState, SlotStep, Start
from airssys.nursery.restarts import (
    Act,
    Aim,
    GaveUp,
    Round,
    in_place_of,
    merged,
    sharing,
    why_children_end,
    with_child,
)

if TYPE_CHECKING:
    from airssys.contracts import ExitReason
    from airssys.nursery.children import Child, ChildRunner, SupervisorPlace


@final
class OrderedChildren:
    """The places of one supervisor's children."""

    def __init__(
        self, spec: SupervisorSpec, runner: ChildRunner, place: SupervisorPlace
    ) -> None:
        self.spec = spec
        """What it goes by now."""
        given = place.given
        self._given = given if isinstance(given, SupervisorSpec) else spec
        self.runner, self._make_seat, self._record = (
            runner,
            place.make_seat,
            place.record,
        )
        self.roster = Roster(map(self.place, spec.children))
        self.round: Round[Slot] | None = None
        """The one under way."""
        self.is_open = False
        """All children have been started once."""
        self.is_ending = False
        self.is_over = False
        """It was ending, and all children are gone."""
        self.outcome: BaseException | None = None
        """What its supervisor is to raise, once it is over."""

    @property
    def is_grouping(self) -> bool:
        """Whether children share restarts."""
        return self.spec.strategy is not Strategy.ONE_FOR_ONE

    @property
    def depth(self) -> int:
        """How many supervisors stand above this one."""
        return self.runner.path.count("/")

    def mistakes_of(self, spec: ChildSpec) -> tuple[Mistake, ...]:
        """Look at what is to be one more child."""
        rule, above = self.spec.auto_shutdown, self.depth + 1
        return tuple(find_child_mistakes(spec, rule, above=above))

    def open(self) -> None:
        """Start all children, in order."""
        self.round = Round(Aim.OPENING, to_start=self.roster)

    def end(self, outcome: BaseException | None) -> None:
        """Stop all children for good; what must leave the tree outweighs the rest."""
        if self.is_ending:
            if is_fatal(outcome) and not is_fatal(self.outcome):
                self.outcome = outcome
            return
        self.is_ending, self.outcome = True, outcome
        self.round = Round(Aim.CLOSING, to_stop=reversed(self.roster))

    def settle_all(self) -> None:
        """Leave all places for good; whoever still waits for an answer gets it."""
        self.is_ending = True
        for slot in self.roster:
            self.settle(slot)

    def adopt(self, spec: SupervisorSpec) -> None:
        """Go by another specification, also after a restart of this or one above."""
        wanted = merged(self._given, self.spec, spec)
        self.spec, self._given = in_place_of(self.spec, wanted), spec
        self._record(self.spec, spec)

    def take_place(self, spec: ChildSpec) -> None:
        """Take note of how its supervisor starts, stops and restarts it from now on."""
        if isinstance(spec, SupervisorSpec):
            self.spec = in_place_of(spec, self.spec)

    def note_below(self, before: ChildSpec, changed: ChildSpec) -> None:
        """Put on record that a supervisor among the children goes by another one."""
        slot = self.roster.find(child_name(changed))
        if slot is not None and slot.spec is before:
            slot.spec = changed
        self.spec = with_child(self.spec, before, changed)

    # ---------------------------------------------------------------- the round

    def go_on(self) -> None:
        """Take the steps of the round that can be taken now."""
        while (now := self.round) is not None and now.current is None:
            match now.next():
                case None:
                    self.round = None
                    self.is_open |= now.aim is Aim.OPENING
                    self.is_over |= now.aim is Aim.CLOSING
                case (Act.STOP, slot):
                    self.stop(slot)
                case (Act.START, slot):
                    why = slot.start if now.aim is Aim.ADMISSION else Start.AGAIN
                    self.start(slot, Start.FIRST if now.aim is Aim.OPENING else why)

    def pass_on(self, slot: Slot) -> None:
        """Let the round go on if it was this child's turn."""
        if self.round is not None and self.round.current is slot:
            self.round.current = None

    def is_due(self, slot: Slot) -> bool:
        """Say whether the round under way is going to start this child."""
        return self.round is not None and slot in self.round.still_to_start()

    # --------------------------------------------------------- single children

    def place(self, spec: ChildSpec) -> Slot:
        """Make a place for a child."""
        return Slot(spec, self._make_seat(spec))

    def admit(self, slot: Slot, why: Start) -> None:
        """Start one child by request."""
        slot.start = why
        if self.is_grouping:
            self.round = Round(Aim.ADMISSION, to_start=(slot,))
        else:
            self.start(slot, why)

    def dismiss(self, slot: Slot) -> None:
        """Stop one child by request; its place stays, unless it is temporary.

        A restart that is due or under way is not made, and those that were to start
        after it stay down.
        """
        if self.round is not None:
            self.round.drop(slot)
            is_starting = slot.state in {SlotState.STARTING, SlotState.RESTARTING}
            if self.round.current is slot and is_starting:
                self._break_off(self.round)
        if not slot.is_occupied:
            self._release_group(slot)
            self.settle(slot)
        elif not self.is_ending:  # otherwise its turn comes
            self.stop(slot)

    def _break_off(self, now: Round[Slot]) -> None:
        """Leave those down that a restart has not come to yet."""
        if now.aim is Aim.RESTART:
            for member in now.still_to_start():
                member.retire()
            self.round = None

    def _release_group(self, slot: Slot) -> None:
        if slot.retry is None or not self.is_grouping:
            return
        for member in sharing(self.spec.strategy, self.roster, slot):
            if self.round is not None:
                self.round.returning.discard(member)
            if member.state is SlotState.DOWN and not self.is_due(member):
                member.retire()

    def start(self, slot: Slot, why: Start) -> None:
        """Start one child."""
        if slot.is_vacant:
            slot.cell, slot.is_vacant = self._make_seat(slot.spec), False
        self.runner.start(slot, why)

    def stop(self, slot: Slot) -> None:
        """Set a child's stop going; one that has ended by itself is reported now."""
        child = slot.child
        if child is None:
            self.settle(slot)
        elif child.reason is None:
            self.runner.stop(slot)
        else:
            self.note_stopped(slot, child, child.reason)

    def note_stopped(self, slot: Slot, child: Child, reason: ExitReason) -> None:
        """Take note that a child is gone whose turn to stop had come."""
        slot.move(SlotStep.STOP)  # it may have ended by itself before its turn
        self.runner.dismiss(child)
        self.runner.report_stop(slot, child, reason)
        self.settle(slot)
        if child.fatal is not None:
            self.end(child.fatal)

    def settle(self, slot: Slot) -> None:
        """Settle a place without a child, and answer those who waited for that."""
        if slot.spec.restart is RestartType.TEMPORARY and not self.is_ending:
            self.forget(slot)
        elif self.round is not None and slot in self.round.returning:
            slot.be_down()
        else:
            slot.retire(self._why_gone(slot))
        self.pass_on(slot)
        slot.answer_start(Refused(Refusal.CUT_OFF, slot.name))
        slot.answer_stops()

    def _why_gone(self, slot: Slot) -> str:
        if self.is_ending:
            return why_children_end(self.runner.path, self.outcome)
        if slot.stop_replies:
            return "it was stopped"
        gave_up = slot.last_end is not None and is_a(slot.last_end.error, GaveUp)
        return "it gave up" if gave_up else "it ended"

    def forget(self, slot: Slot) -> None:
        """Keep nothing of a child."""
        slot.retire(self._why_gone(slot))
        self.roster.remove(slot)
