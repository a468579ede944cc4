"""Which mailbox belongs to which name."""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import UTC, datetime
from operator import attrgetter
from typing import Final, final

import attrs

from airssys.contracts import Codecs, ComponentId, TargetNotFound, Unavailable
from airssys.messaging.mailboxes import Mailbox
from airssys.messaging.pools import Recipient

_ORDER: Final = attrgetter("namespace", "name", "instance")
"""That of identities, compared in C."""
GONE_KEPT: Final = 1000


def unavailable(id: ComponentId, why: str, at_ns: int) -> Unavailable:  # noqa: A002  # as below
    """Make the error of sending to an actor that does not run any more."""
    at = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return Unavailable(id, f"{why} at {at:%Y-%m-%d %H:%M:%S} UTC")


@final
@attrs.define(eq=False, repr=False)
class Registry:
    """The mailboxes and pools that can be reached, by the name of their owner.

    It does not open or close mailboxes: code that takes one out closes it.
    """

    recipients: dict[str, Recipient] = attrs.field(init=False, factory=dict)
    """By the text of the name, whose hash Python remembers. Only read elsewhere."""
    _claims: dict[str, Mailbox] = attrs.field(init=False, factory=dict)
    """Of each actor's name the mailbox that has it, from its first start to its end."""
    _arriving: dict[str, Mailbox] = attrs.field(init=False, factory=dict)
    """Of actors that start for the first time: so far only they reach themselves."""
    _sorted: list[ComponentId] | None = attrs.field(init=False, default=None)
    """All names in order, once `ids` was called. From then on each name that comes or goes is
    inserted or removed, because guests may call that at any rate."""
    _gone: dict[str, tuple[str, int]] = attrs.field(init=False, factory=dict)
    """Why names that were reachable are not, and when that came; the oldest first."""

    def register(self, mailbox: Recipient) -> None:
        """Make a mailbox or a pool reachable under the name of its owner.

        Raises:
            ValueError: the name is taken; nothing was changed.
        """
        if mailbox.owner.text in self.recipients:
            problem = f"the name {mailbox.owner} is taken: unregister its mailbox first"
            raise ValueError(problem)
        self.recipients[mailbox.owner.text] = mailbox
        if self._sorted is not None:
            insort(self._sorted, mailbox.owner, key=_ORDER)
        if self._gone:
            self._gone.pop(mailbox.owner.text, None)

    def note_gone(self, id: ComponentId, why: str, at_ns: int) -> None:  # noqa: A002  # as above
        """Remember, of the last `GONE_KEPT`, why a name is not reachable any more.

        Args:
            id: the name.
            why: a clause, e.g. `root/web gave up`.
            at_ns: wall clock, nanoseconds since 1970.
        """
        self._gone.pop(id.text, None)
        self._gone[id.text] = (why, at_ns)
        if len(self._gone) > GONE_KEPT:
            del self._gone[next(iter(self._gone))]

    def absence(self, id: ComponentId) -> TargetNotFound | Unavailable:  # noqa: A002  # as above
        """Return the error of sending to a name that is not reachable."""
        gone = self._gone.get(id.text)
        return TargetNotFound(id) if gone is None else unavailable(id, *gone)

    def claim(self, mailbox: Mailbox) -> bool:
        """Give a mailbox the name of its owner, unless another one has it; whether it has."""
        return self._claims.setdefault(mailbox.owner.text, mailbox) is mailbox

    def has_claimed(self, mailbox: Mailbox) -> bool:
        """Whether a mailbox has the name of its owner."""
        return self._claims.get(mailbox.owner.text) is mailbox

    def give_up(self, mailbox: Mailbox) -> None:
        """Take `claim` back, if the mailbox has the name."""
        if self.has_claimed(mailbox):
            del self._claims[mailbox.owner.text]

    def note_arriving(self, mailbox: Mailbox) -> None:
        """Let only the owner of a mailbox reach it before it is ready."""
        self._arriving[mailbox.owner.text] = mailbox

    def note_arrived(self, mailbox: Mailbox) -> None:
        """Take `note_arriving` back; its owner is ready, or will never be."""
        if self._arriving.get(mailbox.owner.text) is mailbox:
            del self._arriving[mailbox.owner.text]

    def is_arriving(self, id: ComponentId) -> bool:  # noqa: A002  # as above
        """Return whether an actor of that name is starting for the first time."""
        return id.text in self._arriving

    def find_own(self, target: ComponentId, sender: ComponentId) -> Recipient:
        """Return the mailbox that only its own actor can reach yet.

        Raises:
            TargetNotFound, Unavailable: the sender is another actor, or is not starting.
        """
        mailbox = self._arriving.get(target.text) if target == sender else None
        if mailbox is None:
            raise self.absence(target)
        return mailbox

    def unregister(self, id: ComponentId) -> Recipient | None:  # noqa: A002  # as in ComponentSpec.id
        """Make a name unreachable and return what it had, still open."""
        recipient = self.recipients.pop(id.text, None)
        if recipient is not None and self._sorted is not None:
            del self._sorted[bisect_left(self._sorted, _ORDER(id), key=_ORDER)]
        return recipient

    def find(self, id: ComponentId) -> Recipient:  # noqa: A002  # as above
        """Return the mailbox of a name, or the pool.

        Raises:
            TargetNotFound: there is no actor or pool of that name.
            Unavailable: there was one.
        """
        try:
            return self.recipients[id.text]
        except KeyError:
            raise self.absence(id) from None

    def identify(self, text: str) -> ComponentId:
        """Return the identity with a text form; the one that is kept, if it is reachable.

        Raises:
            ValueError: the text is not a valid identity.
        """
        recipient = self.recipients.get(text)
        return ComponentId.parse(text) if recipient is None else recipient.owner

    def codecs_of(self, id: ComponentId) -> Codecs | None:  # noqa: A002  # as above
        """Return the codecs that an actor takes; None: any, or it is not there."""
        mailbox = self.recipients.get(id.text)
        return None if mailbox is None else mailbox.codecs

    def __contains__(self, id: ComponentId) -> bool:  # noqa: A002  # as above
        return id.text in self.recipients

    def ids(self) -> tuple[ComponentId, ...]:
        """Return all names that are registered now, sorted."""
        if self._sorted is None:
            owners = (mailbox.owner for mailbox in self.recipients.values())
            self._sorted = sorted(owners, key=_ORDER)
        return tuple(self._sorted)
