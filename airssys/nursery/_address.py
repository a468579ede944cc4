"""A name and its mailbox: what of an actor outlives its incarnations."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import NameTaken, rules_of
from airssys.messaging import Mailbox

if TYPE_CHECKING:
    from airssys.contracts import ActorSpec, ComponentSpec

    from ._surroundings import Surroundings


@final
class Address:
    """Reachable from the actor's first being ready until it is closed for good."""

    def __init__(self, spec: ActorSpec | ComponentSpec, around: Surroundings) -> None:
        self.id, self.around = spec.id, around
        self.mailbox = Mailbox(
            spec.id,
            spec.mailbox,
            rules_of(spec.overflow),
            spec.message_bytes,
            spec.codecs if spec.codecs and not spec.codecs.take_anything else None,
        )
        self._is_open = False

    def check_free(self) -> None:
        """Make sure that nobody else has the name.

        Raises:
            NameTaken: somebody has.
        """
        if not self._is_open and self.id in self.around.registry:
            raise NameTaken(self.id)

    def open(self) -> None:
        """Make the mailbox reachable; it stays so across restarts.

        Raises:
            NameTaken: somebody has the name.
        """
        if not self._is_open:
            self.check_free()
            self.around.registry.register(self.mailbox)
            self._is_open = True

    def close(self) -> None:
        """Give up the name and close the mailbox; what is left in it are dead letters."""
        if not self._is_open:
            return
        self._is_open = False
        self.around.registry.unregister(self.id)
        self.around.infos.pop(self.id, None)
        self.around.watches.note_gone(self.id)
        for envelope in self.mailbox.close():
            self.around.broker.dead_letter(envelope, "its actor was stopped")
