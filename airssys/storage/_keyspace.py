"""What may be kept under which key, and whether there is room for it: pure decisions.

Room is counted in bytes, keys included, and in keys: else a component could fill the
host with empty values. A write that leaves less in use than before is never refused, so
that one who is over the quota, because it was lowered, finds the way back.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KEY_BYTES: Final = 512

_ABOVE_ALL: Final = "\U0010ffff"
"""Sorts after every character of a key: it is none that can be printed."""


@final
@attrs.frozen
class Quota:
    """How much one component may keep."""

    max_bytes: int
    max_keys: int


@final
@attrs.frozen
class Usage:
    """How much one component keeps."""

    bytes: int = 0
    """Of all keys, as UTF-8, and all values."""
    keys: int = 0


def key_problem(key: str) -> str | None:
    """Say what is wrong with a key, or None if something may be kept under it."""
    if not key:
        return "it is empty"
    if not key.isprintable():
        return "it contains a character that cannot be printed"
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes, more than {MAX_KEY_BYTES}"
    return None


def size_of(key: str, value: bytes) -> int:
    """Count the bytes that a value takes up under its key."""
    return len(key.encode()) + len(value)


def usage_after(usage: Usage, key: str, old: bytes | None, new: bytes | None) -> Usage:
    """Count what is in use when a value has replaced another; None stands for no value."""
    before = 0 if old is None else size_of(key, old)
    after = 0 if new is None else size_of(key, new)
    keys = usage.keys + (new is not None) - (old is not None)
    return Usage(usage.bytes + after - before, keys)


def quota_problem(quota: Quota, now: Usage, then: Usage) -> str | None:
    """Say which quota a change would exceed, or None if it may be made."""
    if then.bytes > quota.max_bytes and then.bytes > now.bytes:
        return f"{then.bytes} bytes, more than {quota.max_bytes}"
    if then.keys > quota.max_keys and then.keys > now.keys:
        return f"{then.keys} keys, more than {quota.max_keys}"
    return None


def range_of(prefix: str, sorted_keys: Sequence[str]) -> slice:
    """Find the keys that begin with a prefix, which lie side by side."""
    first = bisect_left(sorted_keys, prefix)
    return slice(first, bisect_left(sorted_keys, prefix + _ABOVE_ALL, first))
