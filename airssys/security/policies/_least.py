"""The narrowest grants that would have sufficed for what was done."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from airssys.contracts import EVERYTHING, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import Access

MOST_RESOURCES: Final = 20
"""Of one verb, that are listed one by one."""
_WORDS: Final[dict[tuple[str, tuple[str, ...]], str]] = {
    ("messaging", ("send",)): "send",
    ("messaging", ("ask",)): "ask",
    ("messaging", ("request",)): "request",
    ("messaging", ("broadcast",)): "broadcast",
    ("messaging", ("publish",)): "publish",
    ("messaging", ("subscribe",)): "subscribe",
    ("components", ("list", "metadata")): "see",
    ("storage", ("delete", "read", "write")): "store",
    ("storage", ("read",)): "read_store",
    ("files", ("list", "read")): "read_files",
    ("files", ("write",)): "write_files",
    ("files", ("delete",)): "delete_files",
    ("files", ("list",)): "list_files",
    ("network", ("resolve",)): "resolve",
    ("http", ("request",)): "http",
    ("log", ("emit",)): "log",
    ("process", ("run",)): "run_command",
}


def narrowest(used: Iterable[tuple[Access, str]]) -> tuple[Grant, ...]:
    """Return the narrowest grants that allow all that was done.

    Args:
        used: What was done, each with the pattern of the grant that allowed it. This
            pattern is used instead if one verb reached more than `MOST_RESOURCES`.
    """
    resources: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for access, pattern in used:
        resources[access.kind, access.verb][access.resource] = pattern
    verbs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for (kind, verb), found in resources.items():
        listed = found if len(found) <= MOST_RESOURCES else set(found.values())
        for resource in listed:
            # A wildcard in what was reached would be one in the grant, too.
            plain = resource if "*" not in resource else found.get(resource, resource)
            verbs[kind, plain or "*"].add(verb)
    return tuple(
        Grant(kind, tuple(sorted(each)), resource)
        for (kind, resource), each in sorted(verbs.items())
    )


def word_of(grant: Grant) -> str:
    """Write a grant as a person does: `send("shop/*")`."""
    if grant == EVERYTHING:
        return "everything()"
    word = _WORDS.get((grant.kind, tuple(sorted(grant.verbs))))
    if word is not None and not grant.limits:
        return f'{word}("{grant.resource}")'
    limits = f", {grant.limits!r}" if grant.limits else ""
    return f'Grant("{grant.kind}", {grant.verbs!r}, "{grant.resource}"{limits})'
