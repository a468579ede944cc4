"""What the actors of an audit log have used, and what would have sufficed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airssys.contracts import Access
from airssys.security.policies import narrowest, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def report_lines(records: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Describe each actor: how often each grant was used, and the narrowest grants."""
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
    for actor in sorted({*rules, *unlisted}):
        yield f"{actor}"
        for rule, times in rules.get(actor, Counter()).most_common():
            yield f"  used {rule}: {times} times"
        if unlisted[actor]:
            yield f"  and {unlisted[actor]} times what was only counted"
        words = [word_of(grant) for grant in narrowest(used.get(actor, {}).items())]
        yield f"  sufficed: can=[{', '.join(words)}]"
