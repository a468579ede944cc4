"""The children of one supervisor, and the round in progress.

Here children are given slots, started and stopped; when they are gone their slots are
settled, and the requests that wait for that are answered. Why they start or stop is not
known here: the supervisor decides that from notices and requests. What differs between
kinds of supervisors is in `_policy`; those whose children share no restarts have no round
but to open and, unless all stop together, to close.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from airssys.contracts import (
    AutoShutdown,
    ChildSpec,
    DynamicSupervisorSpec,
    InternalError,
    Mistake,
    Refusal,
    Refused,
    Strategy,
    SupervisorSpec,
    find_child_mistakes,
)
from airssys.nursery.children import (
    REORDERING,
    Ended,
    Ready,
    Requested,
    RetryDue,
    Roster,
    Slot,
    SlotState,
    Start,
)
from airssys.nursery.restarts import (
    Act,
    Aim,
    Declared,
    Round,
    grant_mistakes_below,
    grant_mistakes_of,
    mistakes_of_change,
    sharing,
)

if TYPE_CHECKING:
    from airssys.nursery.children import ChildRunner, Notice, SupervisorSetup
    from airssys.nursery.restarts import Attempt, ChangeableSpec

    from ._policy import ChildPolicy, Closing


@final
class ChildrenInRounds:
    """The slots of one supervisor's children, and whose turn it is."""

    def __init__(
        self,
        policy: ChildPolicy,
        setup: SupervisorSetup,
        runner: ChildRunner,
        closing: Closing,
    ) -> None:
        self._policy, self._closing = policy, closing
        self._declared, self._make_cell = setup.declared, setup.make_cell
        self.runner = runner
        self.roster = Roster(map(self.place, self.declared))
        self.round: Round[Slot] | None = None
        """The one under way."""
        self.is_open = False
        """All children have been started once."""
        self.is_over = False
        """The supervisor was about to end, and all children are gone."""

    @property
    def spec(self) -> ChangeableSpec:
        """The specification of the supervisor, as it is now."""
        spec = self._declared.declaration.running
        if isinstance(spec, (SupervisorSpec, DynamicSupervisorSpec)):
            return spec
        raise InternalError(f"{self.runner.path} is not declared as a supervisor")

    @property
    def declared(self) -> tuple[ChildSpec, ...]:
        """The children that are declared, in their order."""
        spec = self._declared.declaration.running
        return spec.children if isinstance(spec, SupervisorSpec) else ()

    @property
    def strategy(self) -> Strategy:
        """Which children share a restart."""
        spec = self._declared.declaration.running
        if isinstance(spec, SupervisorSpec):
            return spec.strategy
        return Strategy.ONE_FOR_ONE

    @property
    def auto_shutdown(self) -> AutoShutdown:
        """Which significant children end the supervisor by their end."""
        spec = self._declared.declaration.running
        if isinstance(spec, SupervisorSpec):
            return spec.auto_shutdown
        return AutoShutdown.NEVER

    @property
    def stops_together(self) -> bool:
        """Whether all children stop at the same time, not the newest first."""
        return self._policy.stops_together

    @property
    def is_ending(self) -> bool:
        """The supervisor is about to end: no child is started any more."""
        return self._closing.has_begun

    @property
    def is_grouping(self) -> bool:
        """Whether children share restarts."""
        return self.strategy is not Strategy.ONE_FOR_ONE

    @property
    def depth(self) -> int:
        """How many supervisors stand above this one."""
        return self.runner.path.count("/")

    def mistakes_of(self, spec: ChildSpec) -> tuple[Mistake, ...]:
        """Check the specification of one more child."""
        rule, above = self.auto_shutdown, self.depth + 1
        mistakes = find_child_mistakes(spec, rule, above=above)
        return (*mistakes, *grant_mistakes_below(spec, self._declared))

    def mistakes_of_change(self, wanted: ChildSpec) -> tuple[Mistake, ...]:
        """Check what the supervisor is to be from now on."""
        mistakes = mistakes_of_change(self.spec, wanted, above=self.depth)
        return (*mistakes, *grant_mistakes_of(wanted, self._declared))

    def open(self) -> None:
        """Start all children, in order."""
        self.round = Round(Aim.OPENING, to_start=self.roster)

    def stop_all(self, cause: Slot | None) -> None:
        """Stop all children for good.

        Args:
            cause: the slot of the child because of which the supervisor ends.
        """
        if not self.stops_together:
            self.round = Round(Aim.CLOSING, to_stop=reversed(self.roster))
            return
        if cause is not None:
            self._drop(cause, None)
            self._answer_for(cause)
        for slot in tuple(self.roster):
            if slot.child is None:
                self.settle(slot)
            elif slot.child.reason is not None:
                self.runner.stop(slot)
        self.runner.stop_together(self.roster)
        self.is_over = len(self.roster) == 0

    def close(self) -> None:
        """Leave all slots; every request that waits for one is answered."""
        self._closing.begin(None)
        for slot in tuple(self.roster):
            self.settle(slot)

    def change(self, spec: ChangeableSpec) -> None:
        """Go by another specification, also after a restart of this or one above."""
        self._declared.change(spec)

    # ---------------------------------------------------------------- the round

    def go_on(self) -> None:
        """Take the steps of the round that can be taken now."""
        while (now := self.round) is not None and now.current is None:
            step = now.next()
            if step is None:
                self.round = None
                self.is_open |= now.aim is Aim.OPENING
                self.is_over |= now.aim is Aim.CLOSING
                return
            act, slot = step
            if act is Act.STOP:
                self.stop(slot)
            elif now.aim is Aim.OPENING:
                self.start(slot, Start.FIRST)
            else:
                is_admission = now.aim is Aim.ADMISSION
                self.start(slot, slot.start if is_admission else Start.AGAIN)

    def must_wait(self, notice: Notice) -> bool:
        """Return whether a notice is served only after the round in progress."""
        if isinstance(notice, Ready):
            return False  # as most notices are while many children start
        if self.round is None or self.is_ending or not self.is_grouping:
            return False
        match notice:
            case Ended(child):
                slot = self.runner.slot_of(child)
                if slot is None or child.fatal is not None:
                    return False
                is_expected = slot is self.round.current
                return not is_expected and slot.state is not SlotState.STOPPING
            case RetryDue():
                return True
            case Requested(request):
                return isinstance(request, REORDERING)
            case _:
                return False

    def restart(self, slot: Slot, attempt: Attempt[Slot]) -> None:
        """Restart a child, in a round if it shares the restart."""
        if not self.is_grouping:
            self.start(slot, Start.AGAIN)
            return
        for member in attempt.start:
            if not member.is_occupied:
                member.be_down()
        start = attempt.start
        self.round = Round(Aim.RESTART, attempt.stop, start, returning=start)

    def break_off(self) -> None:
        """End the round of a restart that failed; what it left down stays down."""
        if self.is_grouping:
            self.round = None

    def clear_for(self, slot: Slot, pause: float) -> float:
        """Stop those that share a restart that is due later; return the whole pause.

        It is the longest of the pauses of these children.
        """
        if not self.is_grouping:
            return pause
        group = sharing(self.strategy, self.roster, slot)
        now = trio.current_time()
        for member in group:
            if member is not slot and member.retry is not None:
                pause = max(pause, member.retry_at - now)
                member.be_down()
        stop = (member for member in reversed(group) if member.is_occupied)
        self.round = Round(Aim.CLEARING, to_stop=stop, returning=group)
        return pause

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
        declared = Declared(spec, self._declared)
        return Slot(declared, self._make_cell(declared))

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
                self._leave_down(self.round)
        if not slot.is_occupied:
            self._release_group(slot)
            self.settle(slot)
        elif not self.is_ending:  # otherwise its turn comes
            self.stop(slot)

    def _leave_down(self, now: Round[Slot]) -> None:
        """Leave those down that a restart has not come to yet."""
        if now.aim is Aim.RESTART:
            for member in now.still_to_start():
                member.retire()
            self.round = None

    def _release_group(self, slot: Slot) -> None:
        if slot.retry is None or not self.is_grouping:
            return
        for member in sharing(self.strategy, self.roster, slot):
            if self.round is not None:
                self.round.returning.discard(member)
            if member.state is SlotState.DOWN and not self.is_due(member):
                member.retire()

    def start(self, slot: Slot, why: Start) -> None:
        """Start one child."""
        slot.make_cell(self._make_cell)
        self.runner.start(slot, why)

    def stop(self, slot: Slot) -> None:
        """Begin to stop a child; the end of one that has already ended is served now."""
        if slot.child is None:
            self.settle(slot)
        else:
            self.runner.stop(slot)

    def settle(self, slot: Slot) -> None:
        """Settle the slot of a child that is gone, and answer those that wait for it."""
        # Those that stop one after the other leave their slots when all are gone.
        is_left = self.is_ending and not self.stops_together
        if not (is_left or self._policy.keeps(slot)):
            self.forget(slot)
        elif self.round is not None and slot in self.round.returning:
            slot.be_down()
        else:
            slot.retire(self._policy.note_gone(slot, self._closing.why))
        self.pass_on(slot)
        self._answer_for(slot)

    def _answer_for(self, slot: Slot) -> None:
        slot.answer_start(Refused(Refusal.CUT_OFF, slot.name))
        slot.answer_stops()

    def forget(self, slot: Slot) -> None:
        """Keep nothing of a child."""
        self._drop(slot, self._closing.why)

    def _drop(self, slot: Slot, closing: str | None) -> None:
        slot.retire(self._policy.note_gone(slot, closing))
        self.roster.remove(slot)
        if self.is_ending and self.stops_together:
            self.is_over = len(self.roster) == 0
