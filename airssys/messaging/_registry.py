"""Which mailbox belongs to which name."""

from __future__ import annotations

from typing import final

import attrs

from airssys.contracts import ComponentId, TargetNotFound

from ._mailbox import Mailbox


@final
@attrs.define(eq=False, repr=False)
class Registry:
    """The mailboxes that can be reached, by the name of their owner.

    It opens and closes none: whoever takes a mailbox out closes it.
    """

    _mailboxes: dict[str, Mailbox] = attrs.field(init=False, factory=dict)

    def register(self, mailbox: Mailbox) -> None:
        """Make a mailbox reachable under the name of its owner.

        Raises:
            ValueError: the name is taken; nothing was changed.
        """
        if mailbox.owner.text in self._mailboxes:
            problem = f"the name {mailbox.owner} is taken: unregister its mailbox first"
            raise ValueError(problem)
        self._mailboxes[mailbox.owner.text] = mailbox

    def unregister(self, id: ComponentId) -> Mailbox | None:  # noqa: A002  # as in ComponentSpec.id
        """Make a name unreachable and return its mailbox, still open, if it had one."""
        return self._mailboxes.pop(id.text, None)

    def find(self, id: ComponentId) -> Mailbox:  # noqa: A002  # as above
        """Return the mailbox of a name.

        Raises:
            TargetNotFound: nobody of that name is registered.
        """
        try:
            return self._mailboxes[id.text]
        except KeyError:
            raise TargetNotFound(id) from None

    def __contains__(self, id: ComponentId) -> bool:  # noqa: A002  # as above
        return id.text in self._mailboxes

    def ids(self) -> tuple[ComponentId, ...]:
        """Return all names that are registered now, sorted."""
        return tuple(sorted(mailbox.owner for mailbox in self._mailboxes.values()))
