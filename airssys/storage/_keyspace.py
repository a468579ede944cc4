"""Checks keys and quotas of stored values. Pure.

A quota limits bytes, including keys, and the number of keys: otherwise a component
could fill the host with empty values. A write that leaves less in use than before is
never refused, so that a component above its quota, which was lowered, can get back
below it.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_KEY_BYTES: Final = 512

_ABOVE_ALL: Final = "\U0010ffff"
"""Sorts after every character of a key, because it is not printable."""


@final
@attrs.frozen
class Quota:
    """How much one component may store."""

    max_bytes: int
    max_keys: int


@final
@attrs.frozen
class Usage:
    """How much one component stores."""

    bytes: int = 0
    """The size of all keys, as UTF-8, and all values."""
    keys: int = 0


def key_problem(key: str) -> str | None:
    """Return what is wrong with a key, or None if it is valid."""
    if not key:
        return "it is empty"
    if not key.isprintable():
        return "it contains a character that cannot be printed"
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes, more than {MAX_KEY_BYTES}"
    return None


def size_of(key: str, value: bytes) -> int:
    """Return the bytes that a value takes up with its key."""
    return len(key.encode()) + len(value)


def usage_after(usage: Usage, key: str, old: bytes | None, new: bytes | None) -> Usage:
    """Return what is in use after replacing a value; None stands for no value."""
    before = 0 if old is None else size_of(key, old)
    after = 0 if new is None else size_of(key, new)
    keys = usage.keys + (new is not None) - (old is not None)
    return Usage(usage.bytes + after - before, keys)


def quota_problem(quota: Quota, now: Usage, then: Usage) -> str | None:
    """Return which quota a change would exceed, or None if it is allowed."""
    if then.bytes > quota.max_bytes and then.bytes > now.bytes:
        return f"{then.bytes} bytes, more than {quota.max_bytes}"
    if then.keys > quota.max_keys and then.keys > now.keys:
        return f"{then.keys} keys, more than {quota.max_keys}"
    return None


def range_of(prefix: str, sorted_keys: Sequence[str]) -> slice:
    """Find the keys that begin with a prefix, which are adjacent."""
    first = bisect_left(sorted_keys, prefix)
    return slice(first, bisect_left(sorted_keys, prefix + _ABOVE_ALL, first))
