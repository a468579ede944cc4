"""A store in the memory of this process. It is fast, and ends with the process.

Keys are kept sorted beside the dictionary. A listing is then a slice, however many keys
there are, and a new key only moves pointers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, final

from airssys.contracts import StorageRefused, StorageUsage

from ._keyspace import (
    Quota,
    Usage,
    key_problem,
    quota_problem,
    range_of,
    usage_after,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import ComponentId


@final
class MemoryKeyspace:
    """The keys and values of one component (implements `Keyspace`)."""

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self._usage = Usage()
        self._values: dict[str, bytes] = {}
        self._sorted: list[str] = []

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if it has none."""
        return self._values.get(_valid(key))

    def set(self, key: str, value: bytes) -> None:
        """Store a value, replacing the key's previous one."""
        old = self._values.get(_valid(key))
        then = usage_after(self._usage, key, old, value)
        if problem := quota_problem(self.quota, self._usage, then):
            raise StorageRefused("quota-exceeded", problem)
        if old is None:
            insort(self._sorted, key)
        self._values[key] = bytes(value)
        self._usage = then

    def delete(self, key: str) -> None:
        """Delete a key and its value."""
        old = self._values.pop(_valid(key), None)
        if old is None:
            raise StorageRefused("not-found", key)
        del self._sorted[bisect_left(self._sorted, key)]
        self._usage = usage_after(self._usage, key, old, None)

    def exists(self, key: str) -> bool:
        """Say whether a key has a value."""
        return _valid(key) in self._values

    def keys(self, prefix: str | None) -> Sequence[str]:
        """Return the keys that begin with a prefix, or all of them, sorted."""
        return self._sorted[range_of(prefix or "", self._sorted)]

    def usage(self) -> StorageUsage:
        """Return what is in use."""
        usage = self._usage
        return StorageUsage(usage.bytes, self.quota.max_bytes, usage.keys)


@final
class MemoryStorage:
    """The keyspaces of one system, in memory (implements `Storage`)."""

    def __init__(self) -> None:
        self._keyspaces: dict[ComponentId, MemoryKeyspace] = {}

    def keyspace(
        self, owner: ComponentId, *, max_bytes: int, max_keys: int
    ) -> MemoryKeyspace:
        """Return the keyspace of a component, with this quota from now on."""
        quota = Quota(max_bytes, max_keys)
        found = self._keyspaces.setdefault(owner, MemoryKeyspace(quota))
        found.quota = quota
        return found


def _valid(key: str) -> str:
    if problem := key_problem(key):
        raise StorageRefused("invalid-key", f"{key!r:.80}: {problem}")
    return key
