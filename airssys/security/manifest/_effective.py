"""What a component may do that has a manifest: what that asks and the topology grants."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import attrs

from airssys.contracts import EVERYTHING, Grant, Requested
from airssys.contracts.values import is_kind
from airssys.security.capabilities import (
    KINDS,
    LOG,
    Rule,
    Rules,
    read_grants,
    with_log_lines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._reading import Described


def requested(
    described: Described, granted: object, options: Mapping[str, object] | None = None
) -> Requested:
    """Put what a manifest asks for beside what the topology grants.

    Of what the topology wrote, values that are not grants are left out. `options`: the
    other words of the topology.
    """
    above = tuple(
        f"{word} {text}"
        for word, text in described.above.items()
        if not _is_written(word, options or {})
    )
    asked = described.requests
    return Requested(str(described.file), asked, _grants_in(granted), above)


def granted_too(found: Requested, granted: object) -> Requested:
    """Return the same with other grants of the topology."""
    return attrs.evolve(found, granted=_grants_in(granted))


def _grants_in(granted: object) -> tuple[Grant, ...]:
    given = granted if isinstance(granted, tuple) else ()
    return tuple(each for each in given if is_kind(each, Grant))


def _is_written(word: str, options: Mapping[str, object]) -> bool:
    option, _, name = word.partition(".")
    value = options.get(option)
    is_open = isinstance(value, Mapping) and bool(name)
    return name in value if is_open else value is not None  # type: ignore[operator]  # a mapping


def effective(asked: tuple[Grant, ...], granted: object) -> tuple[Grant, ...]:
    """Return the grants that hold: what a manifest asks for and the topology grants.

    Where the two only overlap, less is allowed than both say, never more. What is not a
    valid grant stays, for the check of the definition to find; it allows nothing.
    """
    if not isinstance(granted, tuple):
        return cast("tuple[Grant, ...]", granted)
    given = _grants_in(granted)
    if any(each.kind == LOG for each in (*asked, *given)):
        # A list that does not name log lines allows all of them: the other one counts.
        asked, given = with_log_lines(asked), with_log_lines(given)
    both = _both(asked, given, len(KINDS))
    return (*(each for each in granted if not _is_valid(each)), *both)


def _is_valid(grant: object) -> bool:
    return isinstance(grant, Grant) and not _read((grant,))[1]


def _read(grants: tuple[Grant, ...]) -> tuple[Rules, tuple[Exception, ...]]:
    return _read_by(grants, len(KINDS))


@lru_cache(maxsize=1024)
def _read_by(
    grants: tuple[Grant, ...], kinds: int
) -> tuple[Rules, tuple[Exception, ...]]:
    del kinds  # the number of kinds that there are: what is remembered is of these
    return read_grants(grants)


@lru_cache(maxsize=1024)
def _both(
    asked: tuple[Grant, ...], granted: tuple[Grant, ...], kinds: int
) -> tuple[Grant, ...]:
    del kinds  # as above
    return grants_of_rules(_read(asked)[0].intersection(_read(granted)[0]).rules)


def grants_of_rules(rules: Iterable[Rule]) -> tuple[Grant, ...]:
    """Write rules as grants: of each grant, the verbs that are left."""
    verbs: dict[Grant, list[str]] = {}
    for rule in rules:
        verbs.setdefault(rule.grant, []).append(rule.verb)
    return tuple(
        EVERYTHING if grant == EVERYTHING else attrs.evolve(grant, verbs=tuple(left))
        for grant, left in verbs.items()
    )


def refused_of(found: Requested) -> tuple[Rule, ...]:
    """Return what a manifest asks for and the topology does not grant."""
    return _read(found.asked)[0].beyond(_read(with_log_lines(found.granted))[0])


def widened(new: tuple[Grant, ...], present: tuple[Grant, ...]) -> tuple[str, ...]:
    """Say in words what new grants allow beyond the present ones, and what they lack."""
    wanted, held = (_read(with_log_lines(each))[0] for each in (new, present))
    difference = wanted.difference(held)
    if not difference.wider:
        return ()
    signs = [("+", difference.wider), ("-", difference.narrower)]
    return tuple(f"{sign} {rule}" for sign, rules in signs for rule in rules)
