"""What differs between supervisors: the interface of the two policies for children.

A supervisor is one loop, in `_supervisor`. It serves notices, decides about restarts and
ends. Which children there are, and in which order they start and stop, is decided by
its policy:

* `OrderedChildren`: declared in order, started and stopped one at a time, and perhaps
  restarted together;
* `DynamicChildren`: come and go at run time, have no order, and stop all at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

from airssys.contracts import is_fatal
from airssys.nursery.restarts import why_children_end

if TYPE_CHECKING:
    from airssys.contracts import (
        AutoShutdown,
        DynamicSupervisorSpec,
        Strategy,
        SupervisorSpec,
    )
    from airssys.nursery.children import Notice, Roster, Slot
    from airssys.nursery.restarts import Attempt


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

    def why(self) -> str:
        """Return why the children are gone, as a clause."""
        return why_children_end(self._path, self.outcome)


class ChildPolicy(Protocol):
    """The children of one supervisor, and in which order they start and stop."""

    roster: Roster
    is_open: bool
    """All children that were declared have been started once."""

    @property
    def stops_together(self) -> bool:
        """Whether children stop at the same time, not the newest first."""
        ...

    @property
    def spec(self) -> SupervisorSpec | DynamicSupervisorSpec:
        """The specification of the supervisor, as it is now."""
        ...

    @property
    def strategy(self) -> Strategy: ...

    @property
    def auto_shutdown(self) -> AutoShutdown: ...

    @property
    def is_over(self) -> bool:
        """Whether the supervisor was about to end, and all children are gone."""
        ...

    def open(self) -> None:
        """Begin to start the children that were declared."""
        ...

    def go_on(self) -> None:
        """Start or stop the children whose turn has come."""
        ...

    def must_wait(self, notice: Notice) -> bool:
        """Return whether a notice is served only after the round in progress."""
        ...

    def pass_on(self, slot: Slot) -> None:
        """Note that a child has been started or stopped: the next one may follow."""
        ...

    def settle(self, slot: Slot) -> None:
        """Settle the slot of a child that is gone, and answer those that wait for it."""
        ...

    def forget(self, slot: Slot) -> None:
        """Remove the slot of a child that is gone."""
        ...

    def restart(self, slot: Slot, attempt: Attempt[Slot]) -> None:
        """Make a restart that was counted."""
        ...

    def break_off(self) -> None:
        """Note that a restart failed: those that share it stay down until the next."""
        ...

    def clear_for(self, slot: Slot, pause: float) -> float:
        """Stop those that share a restart that is due later; return the whole pause."""
        ...

    def stop_all(self, cause: Slot | None) -> None:
        """Stop all children for good.

        Args:
            cause: the slot of the child because of which the supervisor ends.
        """
        ...

    def close(self) -> None:
        """Leave all slots; the children are gone, and every request is answered."""
        ...
