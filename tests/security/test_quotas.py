"""Quotas never let more pass than they say, at any time, for any actor of the subtree."""

import math

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airssys.security.quotas import Account, Amount, Rate, Reservation, Shortage

MANY = settings(max_examples=max(150, settings.default.max_examples))
STEPS = st.lists(
    st.tuples(st.floats(0, 3, allow_nan=False), st.integers(0, 30)), max_size=40
)


@MANY
@given(STEPS, st.integers(0, 20), st.integers(0, 20))
def test_no_window_lets_more_pass_than_burst_and_rate(steps, rate, burst):
    meter, now, passed = Rate(rate, burst), 0.0, []
    for pause, amount in steps:
        now += pause
        if meter.wait_for(amount, now) == 0:
            meter.take(amount, now)
            passed.append((now, amount))
    for number, (began, _) in enumerate(passed):
        for end in range(number, len(passed)):
            total = sum(amount for _, amount in passed[number : end + 1])
            assert total <= burst + rate * (passed[end][0] - began) + 1e-6


@MANY
@given(STEPS, st.integers(1, 20), st.integers(1, 20))
def test_waiting_as_long_as_given_gets_it(steps, rate, burst):
    meter, now = Rate(rate, burst), 0.0
    for pause, amount in steps:
        now += pause
        wait = meter.wait_for(amount, now)
        if wait == math.inf:
            assert amount > burst
            continue
        now += wait + 1e-9
        assert meter.wait_for(amount, now) < 1e-6
        meter.take(amount, now)


def test_time_does_not_go_back():
    meter = Rate(10)
    meter.take(10, 100.0)
    assert meter.wait_for(1, 50.0) == pytest.approx(0.1)
    assert meter.wait_for(1, 100.1) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("amount", [-1, -(2**64), 1.5, True, None, "1"])
def test_amounts_that_are_none(amount):
    account = Account("a", {"bytes": Amount(10)})
    with pytest.raises(ValueError, match="not a valid amount"):
        account.reserve({"bytes": amount}, 0)
    with pytest.raises(ValueError, match="not a valid amount"):
        account.give_back("bytes", amount)
    assert account.usage(0) == {"bytes": (0, 10)}


@pytest.mark.parametrize("amount", [2**63, 2**64 - 1, 2**64, 10**400])
def test_amounts_that_would_overflow_elsewhere(amount):
    account = Account("a", {"bytes": Amount(10), "rate": Rate(10)})
    assert isinstance(account.reserve({"bytes": 5}, 0), Reservation)
    for quota in ("bytes", "rate"):
        assert isinstance(account.reserve({quota: amount}, 0), Shortage)
    assert account.usage(0)["bytes"] == (5, 10)


def test_all_or_nothing_up_the_tree():
    top = Account("top", {"bytes": Amount(10)})
    one = Account("one", {"bytes": Amount(8), "sends": Rate(1)}, top)
    other = Account("other", {}, top)
    assert isinstance(other.reserve({"bytes": 5}, 0), Reservation)
    short = one.reserve({"bytes": 6, "sends": 1}, 0)
    assert isinstance(short, Shortage)
    assert (short.account, short.quota, short.used, short.limit) == (
        "top",
        "bytes",
        5,
        10,
    )
    assert one.usage(0) == {"bytes": (0, 8), "sends": (0, 1)}
    assert isinstance(one.reserve({"bytes": 5, "sends": 1}, 0), Reservation)


def test_what_is_rolled_back_is_there_again_once():
    account = Account("a", {"bytes": Amount(10)})
    first = account.reserve({"bytes": 6}, 0)
    first.roll_back()
    first.roll_back()
    second = account.reserve({"bytes": 10}, 0)
    second.commit()
    second.roll_back()
    assert account.usage(0) == {"bytes": (10, 10)}
    with pytest.raises(KeyError), account.reserve({"bytes": 0}, 0):
        raise KeyError
    account.give_back("bytes", 100)
    assert account.usage(0) == {"bytes": (0, 10)}


def test_each_share_is_warned_of_once_as_it_is_reached():
    account = Account("a", {"bytes": Amount(100)})
    shares = []
    for _ in range(10):
        shares += [each.share for each in account.reserve({"bytes": 10}, 0).warned]
    assert shares == [0.8, 0.95]
    account.give_back("bytes", 50)
    assert account.reserve({"bytes": 0}, 0).warned == ()
    assert [w.share for w in account.reserve({"bytes": 35}, 0).warned] == [0.8]


LIMITS = {"root": 50, "left": 30, "right": 30, "a": 20, "b": 20, "c": 40}
PARENTS = {"left": "root", "right": "root", "a": "left", "b": "left", "c": "right"}


class Tree(RuleBasedStateMachine):
    """Components of two subtrees reserve, commit, roll back and give back."""

    @initialize()
    def plant(self):
        self.accounts = {}
        for name, limit in LIMITS.items():
            parent = self.accounts.get(PARENTS.get(name))
            self.accounts[name] = Account(name, {"bytes": Amount(limit)}, parent)
        self.used = dict.fromkeys("abc", 0)
        self.open = []

    @rule(who=st.sampled_from("abc"), amount=st.integers(0, 25))
    def reserve(self, who, amount):
        found = self.accounts[who].reserve({"bytes": amount}, 0)
        fits = all(
            sum(self.used[leaf] for leaf in self.below(name)) + amount <= LIMITS[name]
            for name in self.around(who)
        )
        assert isinstance(found, Reservation) is fits
        if fits:
            self.used[who] += amount
            self.open.append((who, amount, found))

    @rule(data=st.data())
    def roll_back(self, data):
        if self.open:
            index = data.draw(st.integers(0, len(self.open) - 1))
            who, amount, reservation = self.open.pop(index)
            reservation.roll_back()
            self.used[who] -= amount

    @rule(data=st.data())
    def commit_and_give_back(self, data):
        if self.open:
            index = data.draw(st.integers(0, len(self.open) - 1))
            who, amount, reservation = self.open.pop(index)
            reservation.commit()
            reservation.roll_back()
            self.accounts[who].give_back("bytes", amount)
            self.used[who] -= amount

    def around(self, name):
        while name is not None:
            yield name
            name = PARENTS.get(name)

    def below(self, name):
        return [leaf for leaf in "abc" if name in self.around(leaf)]

    @invariant()
    def books_agree(self):
        if hasattr(self, "accounts"):
            for name, account in self.accounts.items():
                used = sum(self.used[leaf] for leaf in self.below(name))
                assert account.usage(0)["bytes"] == (used, LIMITS[name])


TestTree = Tree.TestCase
