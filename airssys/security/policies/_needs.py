"""Which grants the functions of `airssys:core` need: what an import cannot do without one.

Build tools import functions that the code never calls. So an import without a grant is
worth a note, and not a mistake: calls to it are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._checks import rules_held

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airssys.contracts import Grant

NEEDS: Final[Mapping[str, tuple[str, str] | None]] = {
    "send": ("messaging", "send"),
    "request": ("messaging", "request"),
    "cancel-request": None,
    "broadcast": ("messaging", "broadcast"),
    "self-id": None,
    "ask": ("messaging", "ask"),
    "publish": ("messaging", "publish"),
    "subscribe": ("messaging", "subscribe"),
    "unsubscribe": None,
    "log": ("log", "emit"),
    "current-time": ("clock", "wall"),
    "current-time-millis": ("clock", "wall"),
    "sleep-millis": None,
    "list-components": ("components", "list"),
    "get-component-metadata": ("components", "metadata"),
    "get": ("storage", "read"),
    "set": ("storage", "write"),
    "delete": ("storage", "delete"),
    "exists": ("storage", "read"),
    "list-keys": ("storage", "read"),
    "usage": None,
}
"""By function: the kind and verb of some grant that it needs; None: it needs none."""


def ungranted(functions: Iterable[str], can: tuple[Grant, ...]) -> tuple[str, ...]:
    """Return the functions of `airssys:core` that are refused whatever they are asked."""
    rules = rules_held(can)
    if rules.is_everything:
        return ()
    held = {(rule.kind, rule.verb) for rule in rules.rules}
    return tuple(
        name
        for name in functions
        if (needed := NEEDS.get(name)) is not None and needed not in held
    )
