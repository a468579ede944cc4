"""What differs between supervisors: three questions, each with two answers.

A supervisor is one loop, in `_supervisor`, which serves notices and decides about restarts
and ends; its children are started and stopped in `_children_in_rounds`. Both are the same
for all. The specification says who shares a restart; a dynamic supervisor always restarts
one child on its own. The rest is the policy:

|                                        | ordered             | dynamic             |
|----------------------------------------|---------------------|---------------------|
| do all children stop at the same time? | one after the other | yes                 |
| is a slot kept for a child that is gone? | unless it is temporary, or new | no     |
| why does its name lead nowhere?        | whose doing it was  | only a closing is   |
|                                        |                     | remembered          |

What may be asked of each is in `_request_handler` and `_dynamic_requests`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final

from airssys.contracts import RestartType, is_a, is_fatal
from airssys.nursery.restarts import GaveUp, why_children_end

if TYPE_CHECKING:
    from airssys.nursery.children import GivenNames, Slot


@final
class Closing:
    """Whether a supervisor is about to end, and by which error. Pure."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.has_begun = False
        self.outcome: BaseException | None = None
        """What the supervisor is to raise when its children are gone."""

    def begin(self, outcome: BaseException | None) -> bool:
        """Note that the supervisor ends; KeyboardInterrupt and SystemExit come first.

        Returns:
            False if it was about to end already.
        """
        if self.has_begun:
            if is_fatal(outcome) and not is_fatal(self.outcome):
                self.outcome = outcome
            return False
        self.has_begun, self.outcome = True, outcome
        return True

    @property
    def why(self) -> str | None:
        """Why the children are gone, as a clause; None if the supervisor goes on."""
        if not self.has_begun:
            return None
        return why_children_end(self._path, self.outcome)


class ChildPolicy(Protocol):
    """What differs between the children of one supervisor and of another."""

    @property
    def stops_together(self) -> bool:
        """Do all children stop at the same time, or one at a time, the newest first?"""
        ...

    def keeps(self, slot: Slot) -> bool:
        """Is a slot kept for a child that is gone, for it may come again?"""
        ...

    def note_gone(self, slot: Slot, closing: str | None) -> str:
        """Why does the name of this child, which is gone for good, lead nowhere?

        Args:
            slot: the slot of a child that is gone.
            closing: why all children end, if the supervisor is about to end.

        Returns:
            A clause, as for `Cell.release`; empty if the name is not remembered.
        """
        ...


@final
class OrderedPolicy:
    """Children that are declared in an order; their slots outlive them."""

    stops_together: Final = False

    def keeps(self, slot: Slot) -> bool:
        """Keep all but temporary children, and new ones that never became ready."""
        is_temporary = slot.spec.restart is RestartType.TEMPORARY
        return not (is_temporary or slot.is_new_and_stopping)

    def note_gone(self, slot: Slot, closing: str | None) -> str:
        """Return whose doing it was."""
        if closing is not None:
            return closing
        if slot.stop_replies:
            return "it was stopped"
        gave_up = slot.last_end is not None and is_a(slot.last_end.error, GaveUp)
        return "it gave up" if gave_up else "it ended"


@final
class DynamicPolicy:
    """Children that come and go: nothing is kept of one that is gone."""

    stops_together: Final = True

    def __init__(self, names: GivenNames) -> None:
        self._names = names

    def keeps(self, _: Slot) -> bool:
        """Keep none."""
        return False

    def note_gone(self, slot: Slot, closing: str | None) -> str:
        """Let go of the name, and of the reason if the child went by itself.

        It may never come again, and there may be many.
        """
        self._names.note_gone(slot.name)
        return closing or ""
