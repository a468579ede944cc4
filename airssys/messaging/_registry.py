"""Which mailbox belongs to which name."""

from __future__ import annotations

from typing import final

import attrs

from airssys.contracts import Codecs, ComponentId, TargetNotFound

from ._pool import Door


@final
@attrs.define(eq=False, repr=False)
class Registry:
    """The mailboxes and pools that can be reached, by the name of their owner.

    It opens and closes none: whoever takes a mailbox out closes it.
    """

    doors: dict[str, Door] = attrs.field(init=False, factory=dict)
    """By the text of the name, whose hash Python remembers. Only read elsewhere."""

    def register(self, mailbox: Door) -> None:
        """Make a mailbox or a pool reachable under the name of its owner.

        Raises:
            ValueError: the name is taken; nothing was changed.
        """
        if mailbox.owner.text in self.doors:
            problem = f"the name {mailbox.owner} is taken: unregister its mailbox first"
            raise ValueError(problem)
        self.doors[mailbox.owner.text] = mailbox

    def unregister(self, id: ComponentId) -> Door | None:  # noqa: A002  # as in ComponentSpec.id
        """Make a name unreachable and return what it had, still open."""
        return self.doors.pop(id.text, None)

    def find(self, id: ComponentId) -> Door:  # noqa: A002  # as above
        """Return the mailbox of a name, or the pool.

        Raises:
            TargetNotFound: nobody of that name is registered.
        """
        try:
            return self.doors[id.text]
        except KeyError:
            raise TargetNotFound(id) from None

    def codecs_of(self, id: ComponentId) -> Codecs | None:  # noqa: A002  # as above
        """Return the codecs that an actor takes; None: any, or it is not there."""
        mailbox = self.doors.get(id.text)
        return None if mailbox is None else mailbox.codecs

    def __contains__(self, id: ComponentId) -> bool:  # noqa: A002  # as above
        return id.text in self.doors

    def ids(self) -> tuple[ComponentId, ...]:
        """Return all names that are registered now, sorted."""
        return tuple(sorted(mailbox.owner for mailbox in self.doors.values()))
