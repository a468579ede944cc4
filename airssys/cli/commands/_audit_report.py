"""What the actors of an audit log have used, and what would have sufficed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airssys.contracts import EVERYTHING, Access, ActorSpec, ComponentSpec, walk
from airssys.security.policies import narrowest, rules_of_grants, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airssys.contracts import Blueprint


def granted_by(blueprint: Blueprint) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Visit the actors that have grants: their names, and the grants in words.

    Members of pools and children of templates have names that are given at run time. One
    that holds `everything()` has no grants in words: what it does is not recorded.
    """
    for path, spec in walk(blueprint.root):
        is_named = not path.endswith((".member", ".template"))
        if isinstance(spec, (ActorSpec, ComponentSpec)) and spec.can and is_named:
            is_free = EVERYTHING in spec.can
            rules = () if is_free else rules_of_grants(spec.can).rules
            yield spec.id.text, tuple(map(str, rules))


def report_lines(
    records: Iterable[dict[str, Any]], granted: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    """Describe each actor: how often each grant was used, and the narrowest grants.

    `granted`: what each actor holds, to tell what it never used.
    """
    rules: dict[str, Counter[str]] = {}
    used: dict[str, dict[Access, str]] = {}
    unlisted: Counter[str] = Counter()
    for record in records:
        if record.get("event") != "allowed":
            continue
        actor, times = str(record.get("actor")), record.get("times", 1)
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
        beginning = f"{access.kind} {access.verb} "
        pattern = rule.removeprefix(beginning) if rule.startswith(beginning) else "*"
        used.setdefault(actor, {}).setdefault(access, pattern)
    for actor in sorted({*rules, *unlisted, *granted}):
        yield f"{actor}"
        if not (granted.get(actor, True) or actor in rules or unlisted[actor]):
            yield "  holds everything(): what it does is not recorded"
            continue
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
