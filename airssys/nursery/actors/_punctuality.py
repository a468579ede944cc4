"""Which messages of an actor are still worth handling when their turn comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import trio

from ._endings import give_up_if_late, pass_over
from ._overload import Overload

if TYPE_CHECKING:
    from airssys.contracts import Envelope

    from ._address import Address


@final
class Punctuality:
    """That of one incarnation (implements `Keeper`)."""

    __slots__ = ("_address", "begun", "overload")

    def __init__(self, address: Address) -> None:
        self._address = address
        self.begun: Envelope | None = None
        """Begun in the step of another task, and so not too late, whatever the time is."""
        self.overload: Overload | None = None
        """There is one while the actor has fallen behind."""

    def is_too_late(self, envelope: Envelope) -> bool:
        """Give the present message up, if it is too late; not one that was begun."""
        begun, self.begun = self.begun, None
        if begun is envelope:
            return False
        if give_up_if_late(self._address, envelope):
            self.fall_behind()
            return True
        overload = self.overload
        return overload is not None and self._is_passed_over(overload, envelope)

    def fall_behind(self) -> Overload:
        """Take note that a caller has stopped waiting."""
        if self.overload is None:
            self.overload = Overload()
        return self.overload

    def _is_passed_over(self, overload: Overload, envelope: Envelope) -> bool:
        newest = self._address.mailbox.newest
        if newest is None:
            self.overload = None  # it has caught up
        elif overload.passes_over(envelope, newest, trio.current_time()):
            pass_over(self._address)
            return True
        return False

    def note_handled(self, *, in_time: bool) -> None:
        """Take note that the present message was handled."""
        if not in_time:
            self.fall_behind()
        if self.overload is not None:
            self.overload.note_end(trio.current_time())
