"""A storage for tests: its contents are accessible, and it can be made to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts import StorageRefused, StorageUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airssys.contracts import ComponentId

_LONGEST_KEY: Final = 512


@final
@attrs.define(eq=False)
class FakeKeyspace:
    """The keys and values of one component (implements `Keyspace`)."""

    storage: FakeStorage
    max_bytes: int
    max_keys: int
    values: dict[str, bytes] = attrs.Factory(dict)
    """The contents; a test may read and change them."""

    def get(self, key: str) -> bytes | None:
        """Return the value of a key, None if it has none."""
        self._check(key)
        return self.values.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Store a value, unless that exceeds the quota and uses more than before."""
        self._check(key)
        before, then = self.values, self.values | {key: bytes(value)}
        if _size(then) > max(self.max_bytes, _size(before)):
            raise StorageRefused("quota-exceeded", f"{_size(then)} bytes")
        if len(then) > max(self.max_keys, len(before)):
            raise StorageRefused("quota-exceeded", f"{len(then)} keys")
        self.values = then

    def delete(self, key: str) -> None:
        """Delete a key and its value."""
        self._check(key)
        if key not in self.values:
            raise StorageRefused("not-found", key)
        del self.values[key]

    def exists(self, key: str) -> bool:
        """Say whether a key has a value."""
        self._check(key)
        return key in self.values

    def keys(self, prefix: str | None) -> Sequence[str]:
        """Return the keys that begin with a prefix, or all of them, sorted."""
        self.storage.fail_if_broken()
        return sorted(key for key in self.values if key.startswith(prefix or ""))

    def usage(self) -> StorageUsage:
        """Return what is in use."""
        self.storage.fail_if_broken()
        return StorageUsage(_size(self.values), self.max_bytes, len(self.values))

    def _check(self, key: str) -> None:
        self.storage.fail_if_broken()
        is_printable = bool(key) and key.isprintable()
        if not is_printable or len(key.encode()) > _LONGEST_KEY:
            raise StorageRefused("invalid-key", f"{key!r:.80}")


@final
class FakeStorage:
    """Keeps everything in plain dictionaries (implements `Storage`)."""

    def __init__(self) -> None:
        self.is_broken = False
        """While this is true, every call of a keyspace fails with `io-error`."""
        self.keyspaces: dict[ComponentId, FakeKeyspace] = {}
        """The keyspaces, by component."""

    def keyspace(
        self, owner: ComponentId, *, max_bytes: int, max_keys: int
    ) -> FakeKeyspace:
        """Return a component's keyspace, with this quota from now on."""
        fresh = FakeKeyspace(self, max_bytes, max_keys)
        found = self.keyspaces.setdefault(owner, fresh)
        found.max_bytes, found.max_keys = max_bytes, max_keys
        return found

    def fail_if_broken(self) -> None:
        """Raise if the store is broken.

        Raises:
            StorageRefused: It is broken.
        """
        if self.is_broken:
            raise StorageRefused("io-error", "as instructed")


def _size(values: dict[str, bytes]) -> int:
    return sum(len(key.encode()) + len(value) for key, value in values.items())
