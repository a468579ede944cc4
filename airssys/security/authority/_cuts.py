"""Cuts: what is taken away, while it runs, from what an actor was granted before."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import attrs

from airssys.security.capabilities import LOG, Rules

if TYPE_CHECKING:
    from airssys.contracts import Access
    from airssys.security.capabilities import Rule


@final
@attrs.frozen
class Cut:
    """Takes away what was granted before."""

    rules: Rules
    keeps: bool
    """Whether the rules say what is kept, and not what goes."""

    def spares(self, access: Access) -> bool:
        """Whether an access is still allowed after it."""
        if self.keeps:
            return self.rules.allows(access) or self._leaves(access.kind)
        return not self.rules.touches(access)

    def spares_all(self, rule: Rule) -> bool:
        """Whether all that a rule allows is still allowed; no is a safe answer."""
        if self.keeps:
            return is_covered(rule, self.rules) or self._leaves(rule.kind)
        return not any(rule.overlaps(each) for each in self.rules.rules)

    def takes_all(self, rule: Rule) -> bool:
        """Whether nothing that a rule allows is allowed after it; no is a safe answer."""
        if self.keeps:
            return not is_among(rule, self.rules) and not self._leaves(rule.kind)
        return is_covered(rule, self.rules)

    def _leaves(self, kind: str) -> bool:
        """Whether all of a kind is kept without being named: log lines are."""
        return kind == LOG and not any(rule.kind == LOG for rule in self.rules.rules)

    def __str__(self) -> str:
        word = "narrowed to" if self.keeps else "revoked"
        return f"{word} {listed(self.rules) or 'nothing'}"


def count_leading(cuts: list[Cut], known: tuple[Cut, ...]) -> int:
    """How many of the first cuts are among known ones; one that was repeated is another."""
    later = (n for n, cut in enumerate(cuts) if all(cut is not old for old in known))
    return next(later, len(cuts))


def is_covered(rule: Rule, by: Rules) -> bool:
    return any(each.covers(rule) for each in by.rules)


def is_among(rule: Rule, some: Rules) -> bool:
    """Whether some rule may allow a part of what a rule allows; yes may be wrong."""
    return any(rule.overlaps(each) for each in some.rules)


def listed(rules: Rules) -> str:
    shown = [str(rule) for rule in rules.rules[:5]]
    more = len(rules.rules) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
