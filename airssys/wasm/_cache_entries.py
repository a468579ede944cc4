"""What lies in a cache directory: how files are called, and which of them must go.

An entry is a record and the code that it tells of: `<key>.entry`, and
`<key>-<mark>.cwasm`. Whoever writes one writes the code first. A code without a record
is nothing yet, or nothing any more. `<mark>.seen` says what a file elsewhere contained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

import attrs

from ._private_directory import PrivateDirectory, is_unfinished

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

_OURS: Final = re.compile(
    r"(?P<key>[0-9a-f]{64})(\.entry|-[0-9a-f]{64}\.cwasm)|[0-9a-f]{64}\.seen"
)
_ABANDONED_AFTER: Final = 3600.0
"""Seconds after which nobody writes on at a file, or to its record, any more."""
_MOST_SEEN: Final = 1000


def record_name(key: str) -> str:
    """How the record of an entry is called."""
    return f"{key}.entry"


def code_name(key: str, mark: str) -> str:
    """How the code of an entry is called."""
    return f"{key}-{mark}.cwasm"


def seen_name(mark: str) -> str:
    """How the note on a file elsewhere is called."""
    return f"{mark}.seen"


@final
@attrs.define
class _Entry:
    size: int = 0
    used: float = 0.0
    """When its record was touched, or its newest code written; seconds since 1970."""
    has_record: bool = False
    names: list[str] = attrs.Factory(list)

    def add(self, name: str, found: os.stat_result) -> None:
        is_record = name.endswith(".entry")
        self.size += found.st_size
        self.has_record |= is_record
        self.used = max(self.used, found.st_mtime)
        self.names.insert(0 if is_record else len(self.names), name)


def surplus(
    files: Iterable[tuple[str, os.stat_result]], most: int, now: float
) -> Iterator[str]:
    """Yield what must go, so that at most `most` bytes are left.

    These are what nobody will finish, and then the entries that were not used for
    longest. What is not ours is neither counted nor named.

    Args:
        files: the files of a cache directory.
        most: bytes.
        now: seconds since 1970.
    """
    entries: dict[str, _Entry] = {}
    seen: list[tuple[float, str]] = []
    for name, found in files:
        if is_unfinished(name):
            if now - found.st_mtime > _ABANDONED_AFTER:
                yield name
        elif match := _OURS.fullmatch(name):
            if match["key"]:
                entries.setdefault(match["key"], _Entry()).add(name, found)
            else:
                seen.append((found.st_mtime, name))
    yield from (name for _, name in sorted(seen)[:-_MOST_SEEN])
    total = sum(entry.size for entry in entries.values())
    for entry in sorted(entries.values(), key=lambda each: each.used):
        is_abandoned = not entry.has_record and now - entry.used > _ABANDONED_AFTER
        if is_abandoned or total > most:
            total -= entry.size
            yield from entry.names


def keys(directory: PrivateDirectory) -> list[tuple[str, int, float]]:
    """List the entries, the one used last first: key, bytes, seconds since 1970."""
    entries: dict[str, _Entry] = {}
    for name, found in directory.files():
        match = _OURS.fullmatch(name)
        if match and match["key"]:
            entries.setdefault(match["key"], _Entry()).add(name, found)
    listed = [(key, e.size, e.used) for key, e in entries.items() if e.has_record]
    return sorted(listed, key=lambda each: -each[2])


def clear(directory: PrivateDirectory) -> tuple[int, int]:
    """Remove everything of ours; returns how many entries that were, and bytes."""
    entries = size = 0
    for name, found in directory.files():
        if is_unfinished(name) or _OURS.fullmatch(name):
            directory.remove(name)
            entries += name.endswith(".entry")
            size += found.st_size
    return entries, size
