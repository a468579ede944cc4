"""What was decided, how often it was used since, and who records that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Protocol, final

from airssys.contracts import Access, ComponentId, Decision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.security.capabilities import Rule

SENDERS: Final = 64
"""Of one verdict, counted apart before the counts are given away."""
NOBODY: Final = ComponentId("airssys", "nobody")
"""The sender of a verdict that was not used since its account was taken."""


class HasAccount(Protocol):
    """Counts what it allows: an `Authority`."""

    def take_account(self) -> None:
        """Record what was allowed since the last time, counted."""
        ...


class Recorder(Protocol):
    """Records decisions: what `airssys.security.audit` is given."""

    @property
    def records_each(self) -> bool:
        """Whether each access is recorded by itself, and not counted."""
        ...

    def note_decision(self, decision: Decision, /) -> None:
        """Record a denial, or an access that was allowed a number of times."""
        ...

    def note_change(self, actor: ComponentId, change: str, cancelled: int, /) -> None:
        """Record that grants were changed."""
        ...

    def note_used(self, authority: HasAccount, /) -> None:
        """Take the account of this authority some time: something was counted."""
        ...


@final
class Verdict:
    """An access that is allowed, by which rule, and how often it was made for which sender."""

    __slots__ = ("access", "others", "rule", "sender", "until", "uses")

    def __init__(self, access: Access, rule: Rule, until: float = math.inf) -> None:
        self.access, self.rule, self.until = access, rule, until
        self.uses = 0
        """How often it was made for `sender` since the last account was taken."""
        self.sender: ComponentId | None = NOBODY
        """The sender of the message that the actor was handling; None: of none."""
        self.others: dict[ComponentId | None, int] = {}
        """How often for the senders before."""

    def counts(self) -> Iterator[tuple[ComponentId | None, int]]:
        """Give the counts away, and begin anew."""
        counts = self.others
        if self.uses:
            counts[self.sender] = counts.get(self.sender, 0) + self.uses
        self.uses, self.sender, self.others = 0, NOBODY, {}
        yield from counts.items()
