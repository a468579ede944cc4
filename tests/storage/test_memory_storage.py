"""Storage in memory passes the conformance check, and agrees with a plain dict."""

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airssys.contracts import ComponentId, StorageRefused
from airssys.storage import MemoryStorage
from airssys.testing import STORAGE_QUESTIONS
from pace import growth

ME = ComponentId.parse("me")
MAX_BYTES, MAX_KEYS = 40, 6
keys = st.text("abß/\U0001f600", max_size=4)
values = st.binary(max_size=12)


@pytest.mark.parametrize("question", STORAGE_QUESTIONS, ids=lambda each: each.__name__)
def test_it_passes_the_conformance_check(question):
    question(MemoryStorage())


class AgainstADict(RuleBasedStateMachine):
    """Does the same to a keyspace and to a dict with a few conditions."""

    def __init__(self):
        super().__init__()
        self.kept = {}
        store = MemoryStorage()
        self.keyspace = store.keyspace(ME, max_bytes=MAX_BYTES, max_keys=MAX_KEYS)

    def outcome(self, act, *arguments):
        try:
            return act(*arguments)
        except StorageRefused as error:
            return error.case

    def used(self, kept):
        return sum(len(key.encode()) + len(value) for key, value in kept.items())

    @rule(key=keys, value=values)
    def set(self, key, value):
        after = self.kept | {key: value}
        is_less = self.used(after) <= self.used(self.kept)
        expected = None
        if not key:
            expected = "invalid-key"
        elif (self.used(after) > MAX_BYTES and not is_less) or len(after) > MAX_KEYS:
            expected = "quota-exceeded"
        assert self.outcome(self.keyspace.set, key, value) == expected
        if expected is None:
            self.kept = after

    @rule(key=keys)
    def delete(self, key):
        expected = None if key in self.kept else "not-found" if key else "invalid-key"
        assert self.outcome(self.keyspace.delete, key) == expected
        self.kept.pop(key, None)

    @rule(key=keys.filter(bool))
    def read(self, key):
        assert self.keyspace.get(key) == self.kept.get(key)
        assert self.keyspace.exists(key) == (key in self.kept)

    @rule(prefix=st.none() | keys)
    def list(self, prefix):
        expected = sorted(key for key in self.kept if key.startswith(prefix or ""))
        assert self.keyspace.keys(prefix) == expected

    @invariant()
    def usage_adds_up(self):
        usage = (self.used(self.kept), MAX_BYTES, len(self.kept))
        assert self.keyspace.usage() == usage


TestAgainstADict = AgainstADict.TestCase
TestAgainstADict.settings = settings(max_examples=40, stateful_step_count=25)


def test_many_keys_do_not_block_the_thread():
    def changes_among(count):
        keyspace = MemoryStorage().keyspace(ME, max_bytes=10**8, max_keys=10**5)
        for number in range(0, count, 2):
            keyspace.set(f"{number:06}", b"")

        def change():
            for number in range(1, count, 20):
                keyspace.set(f"{number:06}", b"")
                keyspace.delete(f"{number - 1:06}")
                keyspace.keys(f"{number:06}"[:5])
                keyspace.set(f"{number - 1:06}", b"")
                keyspace.delete(f"{number:06}")

        return change

    # Sorting anew each time would make each change ten times as dear.
    assert growth(changes_among, 2_000, 20_000) < 4
