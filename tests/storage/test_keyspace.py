"""What may be kept under which key, and whether there is room: to the last byte."""

import pytest
from hypothesis import given, strategies as st

from airssys.storage._keyspace import (
    MAX_KEY_BYTES,
    Quota,
    Usage,
    key_problem,
    quota_problem,
    range_of,
    size_of,
    usage_after,
)

KEYS = st.text("abß/", min_size=1, max_size=4)
VALUES = st.none() | st.binary(max_size=9)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("a", None),
        ("ß" * (MAX_KEY_BYTES // 2), None),
        ("", "it is empty"),
        ("a\nb", "it contains a character that cannot be printed"),
        ("ß" * 257, "it has 514 bytes, more than 512"),
    ],
)
def test_what_is_wrong_with_a_key(key, problem):
    assert key_problem(key) == problem


@given(KEYS, VALUES, VALUES, KEYS, VALUES)
def test_usage_is_that_of_what_is_kept(key, old, new, other, kept):
    def usage_of(contents):
        some = {k: v for k, v in contents.items() if v is not None}
        return Usage(sum(len(k.encode()) + len(v) for k, v in some.items()), len(some))

    before = {other: kept} | {key: old}
    after = before | {key: new}
    assert usage_after(usage_of(before), key, old, new) == usage_of(after)
    assert size_of(key, b"12") == len(key.encode()) + 2


QUOTA = Quota(max_bytes=10, max_keys=2)


@pytest.mark.parametrize(
    ("now", "then", "problem"),
    [
        ((0, 0), (10, 2), None),
        ((0, 0), (5, 1), None),
        ((10, 1), (11, 1), "11 bytes, more than 10"),
        ((10, 2), (10, 3), "3 keys, more than 2"),
        ((12, 1), (12, 1), None),
        ((12, 1), (11, 1), None),
        ((12, 1), (13, 1), "13 bytes, more than 10"),
        ((5, 4), (5, 4), None),
        ((5, 4), (5, 3), None),
        ((5, 4), (5, 5), "5 keys, more than 2"),
        ((9, 4), (11, 5), "11 bytes, more than 10"),
    ],
)
def test_only_what_makes_it_worse_is_refused(now, then, problem):
    assert quota_problem(QUOTA, Usage(*now), Usage(*then)) == problem


@given(KEYS, st.lists(st.text("abß/\U0001f600", max_size=4), unique=True))
def test_keys_with_the_same_beginning_lie_side_by_side(prefix, keys):
    keys.sort()
    found = keys[range_of(prefix, keys)]
    assert found == [key for key in keys if key.startswith(prefix)]
    assert keys[range_of("", keys)] == keys


def test_nothing_is_in_use_at_first():
    assert Usage() == Usage(bytes=0, keys=0)
    assert MAX_KEY_BYTES == 512
