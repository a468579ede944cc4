"""What any store must do, whatever it keeps things in: questions for a fresh one."""

import pytest

from airssys.contracts import ComponentId, StorageRefused

ALICE, BOB = ComponentId.parse("alice"), ComponentId.parse("bob")
BAD_KEYS = ["", "a\n", "\0", "\ud800", "\U0010ffff", "x" * 513, "ß" * 257, "a\u200b"]


def keyspace_of(store, owner=ALICE, max_bytes=1000, max_keys=10):
    return store.keyspace(owner, max_bytes=max_bytes, max_keys=max_keys)


def refused(case, act, *arguments):
    with pytest.raises(StorageRefused) as caught:
        act(*arguments)
    assert caught.value.case == case
    assert caught.value.detail
    return True


def what_is_kept_is_found_again(store):
    keys = keyspace_of(store)
    assert keys.get("colour") is None
    assert not keys.exists("colour")
    keys.set("colour", b"red")
    assert keys.get("colour") == b"red"
    assert keys.exists("colour")
    keys.set("colour", b"")
    assert keys.get("colour") == b""
    assert keys.exists("colour")


def what_is_deleted_is_gone(store):
    keys = keyspace_of(store)
    keys.set("colour", b"red")
    keys.delete("colour")
    assert keys.get("colour") is None
    assert keys.keys(None) == []
    assert refused("not-found", keys.delete, "colour")


def keys_are_listed_sorted_and_by_prefix(store):
    keys = keyspace_of(store)
    for key in ("b", "a/2", "a", "a/1", "ä", "a\U0001f600", "B"):
        keys.set(key, b"")
    assert keys.keys(None) == ["B", "a", "a/1", "a/2", "a\U0001f600", "b", "ä"]
    assert keys.keys("") == keys.keys(None)
    assert keys.keys("a") == ["a", "a/1", "a/2", "a\U0001f600"]
    assert keys.keys("a/") == ["a/1", "a/2"]
    assert keys.keys("a/1") == ["a/1"]
    assert keys.keys("c") == []


def a_prefix_that_no_key_can_have_matches_none(store):
    keys = keyspace_of(store)
    keys.set("a", b"")
    for prefix in BAD_KEYS[1:]:
        assert keys.keys(prefix) == []


def a_listing_is_the_callers_own(store):
    keys = keyspace_of(store)
    keys.set("a", b"")
    listed = keys.keys(None)
    keys.set("b", b"")
    assert list(listed) == ["a"]


def a_bad_key_is_refused_by_every_call(store):
    keys = keyspace_of(store)
    for bad in BAD_KEYS:
        assert refused("invalid-key", keys.get, bad)
        assert refused("invalid-key", keys.set, bad, b"")
        assert refused("invalid-key", keys.delete, bad)
        assert refused("invalid-key", keys.exists, bad)
    assert keys.usage() == (0, 1000, 0)


def a_key_may_be_as_long_as_the_limit(store):
    keys = keyspace_of(store, max_bytes=2000)
    for key in ("x" * 512, "ß" * 256, "a b", "/", "#"):
        keys.set(key, b"1")
        assert keys.get(key) == b"1"


def usage_counts_keys_and_values(store):
    keys = keyspace_of(store)
    assert keys.usage() == (0, 1000, 0)
    keys.set("ß", b"12345")
    assert keys.usage() == (7, 1000, 1)
    keys.set("ß", b"1")
    assert keys.usage() == (3, 1000, 1)
    keys.set("k", b"")
    assert keys.usage() == (4, 1000, 2)
    keys.delete("ß")
    assert keys.usage() == (1, 1000, 1)


def bytes_are_limited_to_the_last_one(store):
    keys = keyspace_of(store, max_bytes=10)
    keys.set("k", b"123456789")
    assert refused("quota-exceeded", keys.set, "l", b"")
    assert refused("quota-exceeded", keys.set, "k", b"1234567890")
    assert keys.get("k") == b"123456789"
    assert keys.usage() == (10, 10, 1)
    keys.set("k", b"12345678")
    keys.set("l", b"")
    assert keys.usage() == (10, 10, 2)


def keys_are_limited_too(store):
    keys = keyspace_of(store, max_keys=2)
    keys.set("a", b"")
    keys.set("b", b"")
    assert refused("quota-exceeded", keys.set, "c", b"")
    keys.set("b", b"more")
    keys.delete("a")
    keys.set("c", b"")
    assert keys.keys(None) == ["b", "c"]


def one_who_is_over_the_quota_finds_the_way_back(store):
    keyspace_of(store).set("a", b"12345678")
    keyspace_of(store).set("b", b"12345678")
    keys = keyspace_of(store, max_bytes=5, max_keys=1)
    assert keys.usage() == (18, 5, 2)
    assert refused("quota-exceeded", keys.set, "a", b"123456789")
    keys.set("a", b"1234567")
    keys.delete("b")
    keys.set("a", b"1234")
    assert keys.usage() == (5, 5, 1)


def everybody_has_keys_of_their_own(store):
    alice, bob = keyspace_of(store), keyspace_of(store, BOB)
    alice.set("colour", b"red")
    assert bob.get("colour") is None
    assert bob.usage().key_count == 0
    other = keyspace_of(store, ComponentId("local", "alice", "1"))
    assert other.get("colour") is None


def what_is_kept_outlives_who_asked_for_it(store):
    keyspace_of(store).set("colour", b"red")
    assert keyspace_of(store).get("colour") == b"red"


def a_value_is_kept_as_it_was(store):
    keys, value = keyspace_of(store), bytearray(b"red")
    keys.set("colour", value)
    value[0] = 0
    assert keys.get("colour") == b"red"


QUESTIONS = [
    what_is_kept_is_found_again,
    what_is_deleted_is_gone,
    keys_are_listed_sorted_and_by_prefix,
    a_prefix_that_no_key_can_have_matches_none,
    a_listing_is_the_callers_own,
    a_bad_key_is_refused_by_every_call,
    a_key_may_be_as_long_as_the_limit,
    usage_counts_keys_and_values,
    bytes_are_limited_to_the_last_one,
    keys_are_limited_too,
    one_who_is_over_the_quota_finds_the_way_back,
    everybody_has_keys_of_their_own,
    what_is_kept_outlives_who_asked_for_it,
    a_value_is_kept_as_it_was,
]
