"""Keys and the members they belong to, while members come and go."""

from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from airssys.messaging.pools._hash_ring import HashRing

KEYS = [f"key {n}".encode() for n in range(2000)]


def ring_of(names):
    ring = HashRing()
    for name in names:
        ring.add(name, name)
    return ring


def owners(ring):
    return {key: ring.choose(key) for key in KEYS}


def test_an_empty_ring_has_no_owner_of_a_key():
    with pytest.raises(LookupError):
        HashRing().choose(b"key")


def test_keys_belong_to_the_same_members_in_every_run():
    ring = ring_of(["pool/1", "pool/2", "pool/3"])
    found = [ring.choose(key)[-1] for key in KEYS[:12]]
    assert found == list("323213333223")


@given(st.permutations("abcdef"))
@settings(max_examples=20)
def test_the_order_in_which_members_came_means_nothing(names):
    assert owners(ring_of(names)) == owners(ring_of("abcdef"))


@given(st.sets(st.text(min_size=1), min_size=1, max_size=12), st.text(min_size=1))
@settings(max_examples=25, deadline=None)
def test_only_the_keys_of_a_member_that_comes_or_goes_move(names, another):
    names.discard(another)
    ring = ring_of(names)
    if not names:
        return
    before = owners(ring)
    ring.add(another, another)
    with_another = owners(ring)
    moved = {k for k in KEYS if with_another[k] != before[k]}
    assert all(with_another[key] == another for key in moved)
    ring.remove(another)
    assert owners(ring) == before


@pytest.mark.parametrize("members", [2, 4, 16])
def test_members_have_about_equal_shares_and_few_keys_move(members):
    names = [f"local/pool/{n}" for n in range(1, members + 1)]
    ring = ring_of(names)
    before = owners(ring)
    shares = Counter(before.values())
    fair = len(KEYS) / members
    assert len(shares) == members
    assert all(fair * 0.6 < share < fair * 1.5 for share in shares.values())
    ring.add("new", "new")
    after = owners(ring)
    moved = sum(before[key] != after[key] for key in KEYS)
    assert moved < 1.5 * len(KEYS) / (members + 1)
