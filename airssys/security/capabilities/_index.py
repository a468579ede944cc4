"""Finds the few of many rules that may allow an access, without trying all of them.

A rule can allow only what is of its kind and verb, and whose resource begins in a certain
way, as far as its pattern knows one (`beginning`). Patterns that compare another text than
the resource itself, such as a path that was made normal, say which one (`key`). So for
each length that some beginning has, one look into a dict finds the rules that begin as
the resource does. A rule that is left out would not have allowed the access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Key: TypeAlias = "Callable[[str], str | None]"


@final
class Index:
    """The places of rules in a list, by what they can allow.

    Args:
        rules: For each the kind, the verb and the pattern; None instead of these for one
            that may allow anything.
    """

    def __init__(self, rules: Iterable[tuple[str, str, Any] | None]) -> None:
        self._any: list[int] = []
        self._tables: dict[tuple[str, str], dict[Key, _Table]] = {}
        for place, rule in enumerate(rules):
            if rule is None:
                self._any.append(place)
                continue
            kind, verb, pattern = rule
            tables = self._tables.setdefault((kind, verb), {})
            table = tables.setdefault(getattr(pattern, "key", _itself), _Table())
            table.add(getattr(pattern, "beginning", ""), place)

    def find(self, kind: str, verb: str, resource: str) -> list[int]:
        """Return the places of the rules that may allow an access, in their order."""
        places = list(self._any)
        for key, table in self._tables.get((kind, verb), {}).items():
            text = key(resource)
            if text is not None:
                places += table.find(text)
        places.sort()
        return places


@final
class _Table:
    """Places by beginnings, and these by their lengths."""

    def __init__(self) -> None:
        self._by_length: dict[int, dict[str, list[int]]] = {}

    def add(self, beginning: str, place: int) -> None:
        same = self._by_length.setdefault(len(beginning), {})
        same.setdefault(beginning, []).append(place)

    def find(self, text: str) -> Iterable[int]:
        for length, beginnings in self._by_length.items():
            yield from beginnings.get(text[:length], ())


def _itself(resource: str) -> str:
    return resource
