"""Quotas never let more pass than they say, at any time, for any actor of the subtree."""

import math

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airssys.contracts import Quota
from airssys.security.quotas import (
    Account,
    Accounts,
    Amount,
    Rate,
    Reservation,
    Shortage,
)

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


@MANY
@given(
    st.lists(
        st.tuples(st.floats(0, 3, allow_nan=False), st.integers(1, 6), st.booleans()),
        max_size=30,
    ),
    st.integers(1, 9),
    st.integers(6, 12),
)
def test_turns_that_are_taken_ahead_pass_no_more_than_there_is(steps, rate, burst):
    quotas = {"messages_per_second": Quota(rate, burst=burst)}
    account, now, passed = Account("a", quotas=quotas), 0.0, []
    for pause, amount, is_cancelled in steps:
        now += pause
        reservation, wait = account.reserve_ahead({"messages_per_second": amount}, now)
        if is_cancelled:
            reservation.roll_back()
        else:
            passed.append((now + wait, amount))
    passed.sort()
    for number, (began, _) in enumerate(passed):
        total = 0
        for end, amount in passed[number:]:
            total += amount
            assert total <= burst + rate * (end - began) + 1e-6


def test_turns_come_one_after_the_other_and_can_be_given_back():
    account = Account("a", quotas={"messages_per_second": Quota(10, burst=1)})
    waits = [account.reserve_ahead({"messages_per_second": 1}, 0)[1] for _ in range(4)]
    assert waits == pytest.approx([0, 0.1, 0.2, 0.3])
    last, wait = account.reserve_ahead({"messages_per_second": 1}, 0)
    assert wait == pytest.approx(0.4)
    last.roll_back()
    assert account.reserve_ahead({"messages_per_second": 1}, 0)[1] == pytest.approx(0.4)


def test_nothing_is_taken_ahead_where_it_never_fits_or_is_refused():
    account = Account("a", quotas={"messages_per_second": Quota(10, burst=3)})
    for amount in (4, 2**64, 10**400):
        found = account.reserve_ahead({"messages_per_second": amount}, 0)
        assert isinstance(found, Shortage)
        assert found.wait == math.inf
    strict = Quota(10, burst=3, at_limit="refuse")
    top = Account("top", quotas={"messages_per_second": strict})
    below = Account("b", parent=top, quotas=account.quotas)
    assert isinstance(
        below.reserve_ahead({"messages_per_second": 3}, 0)[0], Reservation
    )
    found = below.reserve_ahead({"messages_per_second": 1}, 0)
    assert (found.account, found.action.value) == ("top", "refuse")
    assert below.usage(0)["messages_per_second"] == (3, 3)


def test_the_severest_account_decides():
    end = Account("end", quotas={"fan_out": Quota(2, at_limit="end")})
    refuse = Account("refuse", parent=end, quotas={"fan_out": Quota(1)})
    assert refuse.reserve({"fan_out": 2}, 0).account == "refuse"
    assert refuse.reserve({"fan_out": 3}, 0).account == "end"


@MANY
@given(st.lists(st.tuples(st.floats(0, 2), st.integers(0, 50)), max_size=30))
def test_a_debt_is_paid_by_time_and_never_forgotten(steps):
    account = Account("a", quotas={"cpu_ms_per_second": Quota(10)})
    now = level = 0.0
    for pause, used in steps:
        now += pause
        level = max(0.0, level - 10 * pause) + used
        account.charge({"cpu_ms_per_second": used}, now)
        owed = account.owed(["cpu_ms_per_second"], now)
        if level > 10 + 1e-6:
            assert owed.wait == pytest.approx((level - 10) / 10)
        elif level < 10 - 1e-6:
            assert owed is None


def test_a_full_quota_is_reported_once_and_again_after_half_is_free():
    account = Account("a", quotas={"open_requests": Quota(10)})
    account.reserve({"open_requests": 10}, 0)
    shares = [
        [each.share for each in account.reserve({"open_requests": 1}, 0).warned]
        for _ in range(3)
    ]
    assert shares == [[1.0], [], []]
    account.give_back("open_requests", 4)
    assert account.reserve({"open_requests": 4}, 0).warned == ()
    account.give_back("open_requests", 6)
    account.reserve({"open_requests": 0}, 0)
    warned = account.reserve({"open_requests": 6}, 0).warned
    assert [each.share for each in warned] == [0.95]


def test_other_quotas_leave_what_is_in_use():
    account = Account(
        "a", quotas={"fan_out": Quota(10), "messages_per_second": Quota(10)}
    )
    account.reserve({"fan_out": 6, "messages_per_second": 6}, 0)
    account.declare({"fan_out": Quota(5), "messages_per_second": Quota(20, burst=8)})
    assert account.usage(0) == {"fan_out": (6, 5), "messages_per_second": (6, 8)}
    assert account.reserve({"messages_per_second": 3}, 0).wait == pytest.approx(0.05)
    account.declare({})
    assert isinstance(account.reserve({"fan_out": 10**9}, 0), Reservation)
    assert isinstance(account.reserve({"messages_per_second": 10**9}, 1), Reservation)
    account.declare({"messages_per_second": Quota(20, burst=8)})
    assert account.full_usage(1)["messages_per_second"] == (0, 8)


QUOTAS = {"storage_bytes": Quota(100), "messages_per_second": Quota(1, burst=5)}


class TestAccounts:
    def setup_method(self):
        self.time = 0.0
        self.accounts = Accounts(lambda: self.time)

    def test_an_actor_without_any_quota_has_no_account(self):
        assert self.accounts.open("a", None) is None
        assert self.accounts.find("a") is None
        assert self.accounts.open("a", {}) is not None

    def test_a_name_keeps_its_account(self):
        first = self.accounts.open("a", QUOTAS)
        first.reserve({"messages_per_second": 5}, 0).commit()
        self.accounts.release("a")
        again = self.accounts.open("a", QUOTAS)
        assert isinstance(again.reserve({"messages_per_second": 1}, 0), Shortage)

    def test_accounts_of_names_that_are_idle_are_forgotten_and_others_kept(self):
        self.accounts.open("keeps", QUOTAS).charge({"storage_bytes": 1}, 0)
        self.accounts.release("keeps")
        for number in range(500):
            name = f"a{number}"
            self.accounts.open(name, QUOTAS).charge({"messages_per_second": 5}, 0)
            self.accounts.release(name)
        assert self.accounts.find("a0") is not None
        self.time = 10
        for number in range(1500):
            self.accounts.open(f"b{number}", QUOTAS)
            self.accounts.release(f"b{number}")
        assert self.accounts.find("a0") is None
        assert self.accounts.find("keeps") is not None
        there = [self.accounts.find(f"b{number}") for number in range(1500)]
        assert sum(one is not None for one in there) < 200

    def test_supervisors_are_found_by_their_paths(self):
        above = (("root", QUOTAS), ("root/s", QUOTAS))
        one = self.accounts.open("a", None, above)
        assert one.parent is self.accounts.find_supervisor("root/s")
        assert one.parent.parent is self.accounts.find_supervisor("root")
        assert self.accounts.find_supervisor("a") is None
        assert self.accounts.find("root") is None

    def test_what_moves_is_in_use_at_its_new_place(self):
        one = self.accounts.open("a", QUOTAS, (("root/s", QUOTAS),))
        one.charge({"storage_bytes": 30}, 0)
        self.accounts.open("a", QUOTAS, (("root/t", QUOTAS),))
        usage = {
            path: self.accounts.find_supervisor(path).usage(0)["storage_bytes"][0]
            for path in ("root/s", "root/t")
        }
        assert usage == {"root/s": 0, "root/t": 30}


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
