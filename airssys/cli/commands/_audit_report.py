"""What the actors of an audit log have used, and what would have sufficed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airssys.contracts import (
    EVERYTHING,
    Access,
    ActorSpec,
    ComponentSpec,
    Grant,
    PoolSpec,
    walk,
)
from airssys.security.capabilities import KINDS
from airssys.security.policies import narrowest, rules_of_grants, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airssys.contracts import Blueprint


def granted_by(blueprint: Blueprint) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Visit the actors that have grants: their names, and the grants in words.

    The members of a pool have one name together, such as `local/workers/*`. Children of
    templates have names that are given at run time, and are left out.
    """
    for path, spec in walk(blueprint.root):
        if isinstance(spec, PoolSpec):
            name, actor = f"{_family(spec.id.text)}/*", spec.member
        elif path.endswith((".member", ".template")):
            continue
        elif isinstance(spec, (ActorSpec, ComponentSpec)):
            name, actor = spec.id.text, spec
        else:
            continue
        if actor.can:
            yield name, tuple(map(str, rules_of_grants(actor.can).rules))


def _family(name: str) -> str:
    return name.rpartition("/")[0]


def report_lines(
    records: Iterable[dict[str, Any]], granted: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Describe each actor: how often each grant was used, and the narrowest grants.

    `granted`: what each actor holds, to tell what it never used.
    """
    rules: dict[str, Counter[str]] = {}
    used: dict[str, dict[Access, Grant]] = {}
    unlisted: Counter[str] = Counter()
    for record in records:
        if record.get("event") != "allowed":
            continue
        actor, times = _reported(str(record.get("actor")), granted), record.get("times")
        times = times if isinstance(times, int) else 1
        if record.get("merged"):
            unlisted[actor] += times
            continue
        rule = str(record.get("rule"))
        rules.setdefault(actor, Counter())[rule] += times
        kind, verb, resource = (
            str(record.get(name)) for name in ("kind", "verb", "resource")
        )
        access = Access(kind, verb, resource)
        used.setdefault(actor, {}).setdefault(access, _grant_named(rule, access))
    for actor in sorted({*rules, *unlisted, *granted}):
        yield f"{actor}"
        for rule, times in rules.get(actor, Counter()).most_common():
            yield f"  used {rule}: {times} times"
        idle = (
            rule for rule in granted.get(actor, ()) if rule not in rules.get(actor, ())
        )
        yield from (f"  never used {rule}" for rule in idle)
        if unlisted[actor]:
            yield f"  and {unlisted[actor]} times what was only counted"
        words = [word_of(grant) for grant in narrowest(used.get(actor, {}).items())]
        yield f"  sufficed: can=[{', '.join(words)}]"


def _reported(actor: str, granted: Mapping[str, tuple[str, ...]]) -> str:
    """Return the name that an actor is reported by: members of a pool have one grant."""
    pool = f"{_family(actor)}/*"
    return pool if actor not in granted and pool in granted else actor


def _grant_named(rule: str, access: Access) -> Grant:
    """Read the words of a rule, of which a record has no more."""
    beginning = f"{access.kind} {access.verb} "
    if not rule.startswith(beginning):
        return EVERYTHING
    pattern, limits = rule.removeprefix(beginning), list[tuple[str, str]]()
    kind = KINDS.get(access.kind)
    for name in kind.limits if kind is not None else ():
        pattern, is_limited, text = pattern.partition(f" {name}=")
        if is_limited:
            limits.append((name, text))
    return Grant(access.kind, (access.verb,), pattern, tuple(limits))
