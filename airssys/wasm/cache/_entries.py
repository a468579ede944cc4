"""The files in a cache directory: their names, and which of them to remove.

An entry is a record and the code that it describes: `<key>.entry`, and
`<key>-<mark>.cwasm`. The code is written first. Code without a record is not finished,
or no longer used. `<key>.state` is a snapshot of a guest, an entry of its own.
`<mark>.seen` records what a file elsewhere contained.
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
    r"(?P<key>[0-9a-f]{64})(\.entry|\.state|-[0-9a-f]{64}\.cwasm)|[0-9a-f]{64}\.seen"
)
_ABANDONED_AFTER: Final = 3600.0
"""Seconds after which an unfinished file is not being written any more."""
_MOST_SEEN: Final = 1000


def record_name(key: str) -> str:
    """Return the name of an entry's record."""
    return f"{key}.entry"


def code_name(key: str, mark: str) -> str:
    """Return the name of an entry's code."""
    return f"{key}-{mark}.cwasm"


def state_name(key: str) -> str:
    """Return the name of a snapshot."""
    return f"{key}.state"


def seen_name(mark: str) -> str:
    """Return the name of the note on a file elsewhere."""
    return f"{mark}.seen"


@final
@attrs.define
class _Entry:
    size: int = 0
    used: float = 0.0
    """When its record was touched, or its newest code written; seconds since 1970."""
    record: list[str] = attrs.Factory(list)
    """Its name, or that of a snapshot."""
    codes: list[tuple[float, str]] = attrs.Factory(list)
    """When each was written, and its name: two processes may have compiled the same."""

    def add(self, name: str, found: os.stat_result) -> None:
        if name.endswith((".entry", ".state")):
            self.record.append(name)
        else:
            self.codes.append((found.st_mtime, name))
        self.size += found.st_size
        self.used = max(self.used, found.st_mtime)

    def names(self) -> list[str]:
        """All its files, the record first: without it the code is not searched for."""
        return self.record + [name for _, name in self.codes]


@final
@attrs.define
class _Contents:
    """The files of a cache directory, sorted; files that are not ours are left out."""

    entries: dict[str, _Entry] = attrs.Factory(dict)
    """By key."""
    seen: list[tuple[float, str]] = attrs.Factory(list)
    """Notes on files elsewhere: when they were written, and their names."""
    unfinished: list[tuple[float, str]] = attrs.Factory(list)

    @classmethod
    def of(cls, files: Iterable[tuple[str, os.stat_result]]) -> _Contents:
        contents = cls()
        for name, found in files:
            match = _OURS.fullmatch(name)
            if is_unfinished(name):
                contents.unfinished.append((found.st_mtime, name))
            elif match and match["key"]:
                entry = contents.entries.setdefault(match["key"], _Entry())
                entry.add(name, found)
            elif match:
                contents.seen.append((found.st_mtime, name))
        return contents


def surplus(
    files: Iterable[tuple[str, os.stat_result]], most: int, now: float
) -> Iterator[str]:
    """Yield the files to remove, so that at most `most` bytes are left.

    These are abandoned files, and then the least recently used entries. Files that are
    not ours are neither counted nor yielded.

    Args:
        files: The files of a cache directory.
        most: Bytes.
        now: Seconds since 1970.
    """
    contents = _Contents.of(files)
    yield from _abandoned(contents.unfinished, now)
    yield from (name for _, name in sorted(contents.seen)[:-_MOST_SEEN])
    entries = contents.entries.values()
    total = sum(entry.size for entry in entries)
    for entry in sorted(entries, key=lambda each: each.used):
        is_abandoned = not entry.record and now - entry.used > _ABANDONED_AFTER
        if is_abandoned or total > most:
            total -= entry.size
            yield from entry.names()
        else:
            yield from _abandoned(sorted(entry.codes)[:-1], now)


def _abandoned(files: Iterable[tuple[float, str]], now: float) -> Iterator[str]:
    return (name for written, name in files if now - written > _ABANDONED_AFTER)


def keys(directory: PrivateDirectory) -> list[tuple[str, int, float]]:
    """List the entries, the latest used first: key, bytes, seconds since 1970."""
    entries = _Contents.of(directory.files()).entries
    listed = [
        (key, entry.size, entry.used)
        for key, entry in entries.items()
        if record_name(key) in entry.record
    ]
    return sorted(listed, key=lambda each: -each[2])


def clear(directory: PrivateDirectory) -> tuple[int, int]:
    """Remove all our files; returns the number of entries, and their bytes."""
    entries = size = 0
    for name, found in directory.files():
        if is_unfinished(name) or _OURS.fullmatch(name):
            directory.remove(name)
            entries += name.endswith(".entry")
            size += found.st_size
    return entries, size
