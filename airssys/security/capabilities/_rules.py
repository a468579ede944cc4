"""Decisions about grants: may this be done, and does one set of grants bound another?

The theory. A *rule* is a grant for one verb whose patterns were read. A set of rules
allows what at least one of them matches; so a larger set allows more, and an empty one
nothing. `covers` compares two rules: it says yes only if the first allows everything
that the second does, for all accesses there can be. It may say no where two rules of
the wider set would do it together; a grant that needs two others is written as two.

Everything here is a pure function of values: no clock, no file, no name is looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import EVERYTHING, Access, Grant, NotText
from airssys.security.patterns import PatternMistake

from ._index import Index
from ._kinds import KINDS, Everything, Kind, Pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_GRANTS: Final = 1000
_ALL: Final = EVERYTHING.kind
_FEW: Final = 4
"""Rules that are tried one after the other."""


class GrantMistake(ValueError):
    """A grant is not valid; says which and why."""

    def __init__(self, grant: Grant, problem: str) -> None:
        super().__init__(problem)
        self.grant, self.problem = grant, problem


@final
@attrs.frozen
class Rule:
    """Leave to do one thing, with its patterns."""

    kind: str
    verb: str
    resource: Pattern
    limits: tuple[tuple[str, Pattern], ...]
    grant: Grant = attrs.field(eq=False)
    """The grant that it is part of; decisions name it."""
    check: Callable[[Access], bool] | None = attrs.field(
        default=None, eq=False, repr=False
    )
    """As of its `Kind`."""

    def __str__(self) -> str:
        """Name it in words: `messaging send shop/*`."""
        if self.kind == _ALL:
            return "everything"
        limits = "".join(f" {name}={text}" for name, text in self.grant.limits)
        return f"{self.kind} {self.verb} {self.grant.resource}{limits}"

    def allows(self, access: Access) -> bool:
        """Say whether it allows an access."""
        if self.kind == _ALL:
            return True
        if access.kind != self.kind or access.verb != self.verb:
            return False
        if not self.resource.matches(access.resource):
            return False
        if self.check is not None and not self.check(access):
            return False
        if not self.limits:
            return True
        details = dict(access.details)
        return all(
            name in details and pattern.matches(details[name])
            for name, pattern in self.limits
        )

    def touches(self, access: Access) -> bool:
        """Say whether it allows an access or a part of it: one may be a whole pattern."""
        if self.allows(access):
            return True
        if (access.kind, access.verb) != (self.kind, self.verb):
            return False
        is_part = getattr(self.resource, "touches", None)
        return is_part is not None and is_part(access.resource)

    def overlaps(self, other: Rule) -> bool:
        """Say whether both allow some same access; yes is a safe answer."""
        if _ALL in {self.kind, other.kind}:
            return True
        if (self.kind, self.verb) != (other.kind, other.verb):
            return False
        overlaps = getattr(self.resource, "overlaps", None)
        if overlaps is None or type(self.resource) is not type(other.resource):
            return True
        return bool(overlaps(other.resource))

    def covers(self, other: Rule) -> bool:
        """Say whether it allows all that another rule allows."""
        if self.kind == _ALL:
            return True
        if (self.kind, self.verb) != (other.kind, other.verb):
            return False
        if type(self.resource) is not type(other.resource):
            return False
        if not self.resource.includes(other.resource):
            return False
        theirs = dict(other.limits)
        return all(
            name in theirs and pattern.includes(theirs[name])
            for name, pattern in self.limits
        )


@final
@attrs.frozen
class Rules:
    """What one component may do."""

    rules: tuple[Rule, ...] = ()

    @cached_property
    def _index(self) -> Index:
        return Index(
            None if rule.kind == _ALL else (rule.kind, rule.verb, rule.resource)
            for rule in self.rules
        )

    @property
    def is_everything(self) -> bool:
        """Whether one of them is the grant of everything."""
        return any(rule.kind == _ALL for rule in self.rules)

    def deciding(self, access: Access) -> Rule | None:
        """Find the first rule that allows an access; None: it is denied."""
        rules: Iterable[Rule] = self.rules
        if len(self.rules) > _FEW:
            places = self._index.find(access.kind, access.verb, access.resource)
            rules = (self.rules[place] for place in places)
        for rule in rules:
            if rule.allows(access):
                return rule
        return None

    def allows(self, access: Access) -> bool:
        """Say whether an access is allowed."""
        return self.deciding(access) is not None

    def touches(self, access: Access) -> bool:
        """Say whether an access, or a part of it, is allowed."""
        return any(rule.touches(access) for rule in self.rules)

    def beyond(self, bound: Rules) -> tuple[Rule, ...]:
        """Give the rules that go beyond a bound: what no rule of that covers."""
        return tuple(
            rule
            for rule in self.rules
            if not any(wide.covers(rule) for wide in bound.rules)
        )

    def attenuates(self, bound: Rules) -> bool:
        """Say whether it allows nothing that the bound does not."""
        return not self.beyond(bound)

    def union(self, other: Rules) -> Rules:
        """Allow what either allows; rules that another one covers are left out."""
        return Rules(_shortest((*self.rules, *other.rules)))

    def intersection(self, other: Rules) -> Rules:
        """Allow what both allow, as far as rules of one cover rules of the other.

        Where two rules only overlap, the result allows less than both do, never more.
        """
        kept = [rule for rule in self.rules if any(o.covers(rule) for o in other.rules)]
        kept += [
            rule for rule in other.rules if any(o.covers(rule) for o in self.rules)
        ]
        return Rules(_shortest(kept))

    def difference(self, other: Rules) -> Difference:
        """Show what has changed from another set to this one."""
        return Difference(self.beyond(other), other.beyond(self))


@final
@attrs.frozen
class Difference:
    """What one set of rules has and the other has not."""

    wider: tuple[Rule, ...]
    """Allowed now, and not before."""
    narrower: tuple[Rule, ...]
    """Allowed before, and not now."""


def _shortest(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Leave out what another rule covers; of equals the first one stays."""
    kept: list[Rule] = []
    for rule in rules:
        if not any(other.covers(rule) for other in kept):
            kept = [other for other in kept if not rule.covers(other)]
            kept.append(rule)
    return tuple(kept)


def read_grants(
    grants: Iterable[Grant], kinds: Mapping[str, Kind] = KINDS
) -> tuple[Rules, tuple[GrantMistake, ...]]:
    """Read grants; returns what those that are valid allow, and all mistakes."""
    rules: list[Rule] = []
    mistakes: list[GrantMistake] = []
    for number, grant in enumerate(grants):
        if number >= _MOST_GRANTS:
            mistakes.append(GrantMistake(grant, f"more than {_MOST_GRANTS} grants"))
            break
        for verb in grant.verbs or ("",):
            try:
                rules.append(_read(grant, verb, kinds))
            except (GrantMistake, PatternMistake) as error:
                problem = getattr(error, "problem", str(error))
                mistakes.append(GrantMistake(grant, problem))
    return Rules(tuple(rules)), tuple(mistakes)


def _read(grant: Grant, verb: str, kinds: Mapping[str, Kind]) -> Rule:
    texts = (
        grant.kind,
        verb,
        grant.resource,
        *(t for pair in grant.limits for t in pair),
    )
    for text in texts:
        if isinstance(text, NotText):
            problem = f"{text} is not text: write one pattern in each grant"
            raise GrantMistake(grant, problem)
    if grant == EVERYTHING:
        return Rule(_ALL, verb, Everything(), (), grant)
    kind = kinds.get(grant.kind)
    if kind is None:
        problem = f"{grant.kind!r} is not a kind of grants: {', '.join(kinds)}"
        raise GrantMistake(grant, problem)
    read = kind.verbs.get(verb)
    if read is None:
        problem = f"{verb!r} is not something to grant: {', '.join(kind.verbs)}"
        raise GrantMistake(grant, problem)
    limits: list[tuple[str, Pattern]] = []
    for name, text in grant.limits:
        if name not in kind.limits:
            known = ", ".join(kind.limits) or "none"
            problem = f"{name!r} is not a limit of {grant.kind}: {known}"
            raise GrantMistake(grant, problem)
        limits.append((name, kind.limits[name](text)))
    resource = read(grant.resource)
    return Rule(grant.kind, verb, resource, tuple(limits), grant, kind.check)
