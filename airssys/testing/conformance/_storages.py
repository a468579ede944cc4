"""What every storage must do, however it stores things.

def test_it():
    examine_storages(MyStorage)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from airssys.contracts import ComponentId, Storage, StorageRefused

from ._questions import holds, put, raising, same

if TYPE_CHECKING:
    from airssys.contracts import Keyspace

Question: TypeAlias = Callable[[Storage], None]
"""A requirement for a fresh storage; raises `AssertionError` if it is not met."""

_ALICE, _BOB = ComponentId.parse("alice"), ComponentId.parse("bob")
_BAD_KEYS: Final = [
    "",
    "a\n",
    "\0",
    "\ud800",
    "\U0010ffff",
    "x" * 513,
    "ß" * 257,
    "a\u200b",
]


def _keyspace_of(
    storage: Storage,
    owner: ComponentId = _ALICE,
    *,
    max_bytes: int = 1000,
    max_keys: int = 10,
) -> Keyspace:
    return storage.keyspace(owner, max_bytes=max_bytes, max_keys=max_keys)


def _refused(case: str, act: Callable[..., object], *arguments: object) -> None:
    with raising(StorageRefused, case=case):
        act(*arguments)


def _what_is_kept_is_found_again(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    same(keys.get("colour"), None)
    holds(not keys.exists("colour"))
    keys.set("colour", b"red")
    same(keys.get("colour"), b"red")
    holds(keys.exists("colour"))
    keys.set("colour", b"")
    same(keys.get("colour"), b"")
    holds(keys.exists("colour"))


def _what_is_deleted_is_gone(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    keys.set("colour", b"red")
    keys.delete("colour")
    same(keys.get("colour"), None)
    same(keys.keys(None), [])
    _refused("not-found", keys.delete, "colour")


def _keys_are_listed_sorted_and_by_prefix(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    for key in ("b", "a/2", "a", "a/1", "ä", "a\U0001f600", "B"):
        keys.set(key, b"")
    same(keys.keys(None), ["B", "a", "a/1", "a/2", "a\U0001f600", "b", "ä"])
    same(keys.keys(""), keys.keys(None))
    same(keys.keys("a"), ["a", "a/1", "a/2", "a\U0001f600"])
    same(keys.keys("a/"), ["a/1", "a/2"])
    same(keys.keys("a/1"), ["a/1"])
    same(keys.keys("c"), [])


def _a_prefix_that_no_key_can_have_matches_none(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    keys.set("a", b"")
    for prefix in _BAD_KEYS[1:]:
        same(keys.keys(prefix), [])


def _a_listing_is_the_callers_own(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    keys.set("a", b"")
    listed = keys.keys(None)
    keys.set("b", b"")
    same(list(listed), ["a"])


def _a_bad_key_is_refused_by_every_call(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    for bad in _BAD_KEYS:
        _refused("invalid-key", keys.get, bad)
        _refused("invalid-key", keys.set, bad, b"")
        _refused("invalid-key", keys.delete, bad)
        _refused("invalid-key", keys.exists, bad)
    same(keys.usage(), (0, 1000, 0))


def _a_key_may_be_as_long_as_the_limit(storage: Storage) -> None:
    keys = _keyspace_of(storage, max_bytes=2000)
    for key in ("x" * 512, "ß" * 256, "a b", "/", "#"):
        keys.set(key, b"1")
        same(keys.get(key), b"1")


def _usage_counts_keys_and_values(storage: Storage) -> None:
    keys = _keyspace_of(storage)
    same(keys.usage(), (0, 1000, 0))
    keys.set("ß", b"12345")
    same(keys.usage(), (7, 1000, 1))
    keys.set("ß", b"1")
    same(keys.usage(), (3, 1000, 1))
    keys.set("k", b"")
    same(keys.usage(), (4, 1000, 2))
    keys.delete("ß")
    same(keys.usage(), (1, 1000, 1))


def _bytes_are_limited_to_the_last_one(storage: Storage) -> None:
    keys = _keyspace_of(storage, max_bytes=10)
    keys.set("k", b"123456789")
    _refused("quota-exceeded", keys.set, "l", b"")
    _refused("quota-exceeded", keys.set, "k", b"1234567890")
    same(keys.get("k"), b"123456789")
    same(keys.usage(), (10, 10, 1))
    keys.set("k", b"12345678")
    keys.set("l", b"")
    same(keys.usage(), (10, 10, 2))


def _keys_are_limited_too(storage: Storage) -> None:
    keys = _keyspace_of(storage, max_keys=2)
    keys.set("a", b"")
    keys.set("b", b"")
    _refused("quota-exceeded", keys.set, "c", b"")
    keys.set("b", b"more")
    keys.delete("a")
    keys.set("c", b"")
    same(keys.keys(None), ["b", "c"])


def _one_who_is_over_the_quota_finds_the_way_back(storage: Storage) -> None:
    _keyspace_of(storage).set("a", b"12345678")
    _keyspace_of(storage).set("b", b"12345678")
    keys = _keyspace_of(storage, max_bytes=5, max_keys=1)
    same(keys.usage(), (18, 5, 2))
    _refused("quota-exceeded", keys.set, "a", b"123456789")
    keys.set("a", b"1234567")
    keys.delete("b")
    keys.set("a", b"1234")
    same(keys.usage(), (5, 5, 1))


def _everybody_has_keys_of_their_own(storage: Storage) -> None:
    alice, bob = _keyspace_of(storage), _keyspace_of(storage, _BOB)
    alice.set("colour", b"red")
    same(bob.get("colour"), None)
    same(bob.usage().key_count, 0)
    other = _keyspace_of(storage, ComponentId("local", "alice", "1"))
    same(other.get("colour"), None)


def _what_is_kept_outlives_who_asked_for_it(storage: Storage) -> None:
    _keyspace_of(storage).set("colour", b"red")
    same(_keyspace_of(storage).get("colour"), b"red")


def _a_value_is_kept_as_it_was(storage: Storage) -> None:
    keys, value = _keyspace_of(storage), bytearray(b"red")
    keys.set("colour", cast("bytes", value))
    value[0] = 0
    same(keys.get("colour"), b"red")


STORAGE_QUESTIONS: Final[tuple[Question, ...]] = (
    _what_is_kept_is_found_again,
    _what_is_deleted_is_gone,
    _keys_are_listed_sorted_and_by_prefix,
    _a_prefix_that_no_key_can_have_matches_none,
    _a_listing_is_the_callers_own,
    _a_bad_key_is_refused_by_every_call,
    _a_key_may_be_as_long_as_the_limit,
    _usage_counts_keys_and_values,
    _bytes_are_limited_to_the_last_one,
    _keys_are_limited_too,
    _one_who_is_over_the_quota_finds_the_way_back,
    _everybody_has_keys_of_their_own,
    _what_is_kept_outlives_who_asked_for_it,
    _a_value_is_kept_as_it_was,
)
"""For parametrizing a test; each takes a fresh storage."""


def examine_storages(make: Callable[[], Storage]) -> None:
    """Check every requirement, each with a storage of its own.

    Args:
        make: Makes an empty storage.

    Raises:
        AssertionError: A requirement is not met; a note names it.
    """
    put(STORAGE_QUESTIONS, make)
