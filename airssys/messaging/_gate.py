"""What every message passes before it is delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from airssys.contracts import Envelope


class Gate(Protocol):
    """Lets a message pass by returning, or raises a `MessagingError` for its sender.

    Called for every message, in the middle of a step that must not be interrupted: it
    decides at once, and neither sends nor takes messages. A message that had to wait for
    room comes a second time, as the very same object.
    """

    def __call__(self, envelope: Envelope, /) -> None: ...
