"""The narrowest grants that would have sufficed for what was done."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from airssys.contracts import EVERYTHING, Grant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import Access

MOST_RESOURCES: Final = 20
"""Of one verb, that are listed one by one."""
_Limits: TypeAlias = tuple[tuple[str, str], ...]
_ALL_OF: Final = {
    ("messaging", "publish"): "#",
    ("messaging", "subscribe"): "#",
    ("storage", ""): "**",
    ("files", ""): "/**",
}
"""Patterns of all resources, for what was reached by `everything()`; others have `*`."""
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


def narrowest(used: Iterable[tuple[Access, Grant]]) -> tuple[Grant, ...]:
    """Return the narrowest grants that allow all that was done.

    Args:
        used: What was done, each with the grant that allowed it. The limits of this grant
            are kept, and its pattern if one verb reached more than `MOST_RESOURCES`.
    """
    found: dict[tuple[str, str, _Limits], dict[str, Grant]] = defaultdict(dict)
    for access, grant in used:
        found[access.kind, access.verb, grant.limits][access.resource] = grant
    verbs: dict[Grant, set[str]] = defaultdict(set)
    for (kind, verb, limits), grants in found.items():
        is_listed = len(grants) <= MOST_RESOURCES
        for resource, grant in grants.items():
            # A wildcard in what was reached would be one in the grant, too.
            plain = resource if is_listed and "*" not in resource else None
            each = _pattern(grant, kind, verb) if plain is None else plain
            verbs[Grant(kind, (), each or "*", limits)].add(verb)
    return tuple(
        attrs.evolve(grant, verbs=tuple(sorted(each)))
        for grant, each in sorted(verbs.items(), key=_place)
    )


def _pattern(grant: Grant, kind: str, verb: str) -> str:
    """Return the pattern of a grant, or that of all resources of a verb."""
    if grant != EVERYTHING:
        return grant.resource
    return _ALL_OF.get((kind, verb)) or _ALL_OF.get((kind, ""), "*")


def _place(found: tuple[Grant, set[str]]) -> tuple[str, str, _Limits]:
    grant = found[0]
    return grant.kind, grant.resource, grant.limits


def word_of(grant: Grant) -> str:
    """Write a grant as a person does: `send("shop/*")`."""
    if grant == EVERYTHING:
        return "everything()"
    word = _WORDS.get((grant.kind, tuple(sorted(grant.verbs))))
    if word is not None:
        limits = "".join(f', {name}="{text}"' for name, text in grant.limits)
        return f'{word}("{grant.resource}"{limits})'
    limits = f", {grant.limits!r}" if grant.limits else ""
    return f'Grant("{grant.kind}", {grant.verbs!r}, "{grant.resource}"{limits})'
