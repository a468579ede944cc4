"""What an actor holds by its declaration, or by one change, and how that may end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol, final

import attrs

from airssys.security.capabilities import Rules

from ._verdicts import Verdict

if TYPE_CHECKING:
    from airssys.contracts import Access

    from ._cuts import Cut


class Lender(Protocol):
    """What lends grants: another authority."""

    def find_own(self, access: Access) -> Verdict | None:
        """Decide an access by what is its own."""
        ...


@final
@attrs.frozen
class Granted:
    """Grants, and how they may end."""

    rules: Rules
    since: int = 0
    """The number of cuts that were made before it."""
    until: float = math.inf
    lender: Lender | None = None

    def deciding(self, access: Access, now: float, cuts: list[Cut]) -> Verdict | None:
        """Decide an access by it, if it is not over; `cuts`: all there are."""
        if now >= self.until:
            return None
        rule = self.rules.deciding(access)
        if rule is None or not all(c.spares(access) for c in cuts[self.since :]):
            return None
        if self.lender is None:
            return Verdict(access, rule, self.until)
        theirs = self.lender.find_own(access)
        if theirs is None:
            return None
        return Verdict(access, rule, min(self.until, theirs.until))
