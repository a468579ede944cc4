"""What an authority allows, after any sequence of changes, is what a plain model says.

The model keeps the history and reads it anew for each access; the authority remembers
decisions, and what is in progress.
"""

import math
from functools import partial

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import (
    EVERYTHING,
    Access,
    AccessDenied,
    ActorSpec,
    ComponentId,
    ComponentSpec,
    Grant,
    GrantsChanged,
    NotGranted,
)
from airssys.security import ask, clock, publish, send, store
from airssys.security.authority import Authorities, Authority
from airssys.security.authority._cuts import Cut, listed
from airssys.security.capabilities import Rules, read_grants
from airssys.security.policies import Bound

pytestmark = pytest.mark.measured

ME = ComponentId("local", "me")
NAMES = ("shop/a/0", "shop/b/0", "local/x/0")
SENDS = [Access("messaging", "send", name) for name in NAMES]
ACCESSES = [*SENDS, Access("messaging", "ask", NAMES[0]), Access("storage", "read", "k/1")]  # fmt: skip
GRANTS = [send("*"), send("shop/*"), send("shop/a"), send("x"), ask("*"), store("k/*"), EVERYTHING]  # fmt: skip


def rules(*grants):
    found, mistakes = read_grants(grants)
    assert not mistakes
    return found


class Clock:
    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


class Recorder:
    records_each = False

    def __init__(self, seen):
        self.note_decision = seen.append
        self.note_change = self.note_used = lambda *_: None


def made(granted=(), bounds=(), now=None, recorder=None):
    events = []
    limits = tuple(Bound(f"s{i}", tuple(b), rules(*b)) for i, b in enumerate(bounds))
    now = now or Clock()
    return Authority(ME, rules(*granted), limits, events.append, now, recorder), events


def allows(grants, access):
    return rules(*grants).allows(access)


sets = st.lists(st.sampled_from(GRANTS), max_size=3)
steps = st.one_of(
    st.tuples(st.just("revoke"), sets),
    st.tuples(st.just("narrow"), sets),
    st.tuples(st.just("extend"), sets, st.sampled_from([1.0, 3.0, math.inf])),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 5.0])),
    st.tuples(st.just("restart"), st.just(())),
)


class Model:
    """The history of one name: what was granted and cut, each with its moment."""

    def __init__(self, granted, bounds):
        self.bounds, self.cuts = bounds, []
        self.granted = [(granted, 0, math.inf)]

    def allows(self, access, now):
        return all(allows(b, access) for b in self.bounds) and any(
            now < until
            and allows(grants, access)
            and all(allows(g, access) is keeps for g, keeps in self.cuts[since:])
            for grants, since, until in self.granted
        )


class Both:
    """An authority and its model, which get the same changes."""

    def __init__(self, granted, bounds=()):
        self.now = Clock()
        self.authority, self.events = made(granted, bounds, self.now)
        self.model = Model(granted, bounds)
        self.declared = granted

    def revoke(self, grants):
        self.authority.revoke(rules(*grants))
        self.model.cuts.append((grants, False))

    def narrow(self, grants):
        self.authority.narrow(rules(*grants))
        self.model.cuts.append((grants, True))

    def extend(self, grants, seconds):
        bounds, until = self.model.bounds, self.now.time + seconds
        try:
            self.authority.extend(rules(*grants), until=until)
        except NotGranted:
            assert not all(rules(*grants).attenuates(rules(*b)) for b in bounds)
        else:
            self.model.granted.append((grants, len(self.model.cuts), until))

    def wait(self, seconds):
        self.now.time += seconds
        self.authority.expire(self.now.time)

    def restart(self, _):
        self.authority.declare(rules(*self.declared), self.authority.bounds)

    def is_allowed(self, access):
        expected = self.model.allows(access, self.now.time)
        assert self.authority.allows(access) is expected
        return expected


@given(sets, st.lists(sets, max_size=2), st.lists(steps, max_size=8))
def test_any_history_of_changes_is_judged_as_the_model_does(granted, bounds, history):
    both = Both(granted, bounds)
    for step, *arguments in history:
        getattr(both, step)(*arguments)
        for access in ACCESSES:
            how = access.kind, access.verb, access.resource
            if both.is_allowed(access):
                assert both.authority.check(*how).access == access
            else:
                with pytest.raises(NotGranted):
                    both.authority.check(*how)


@given(sets, st.lists(steps, max_size=6))
def test_what_is_in_progress_ends_with_what_allows_it(granted, history):
    both = Both(granted)
    running = {}
    for access in filter(both.is_allowed, ACCESSES):
        ends = []
        running[access] = both.authority.hold(access, partial(ends.append, 1)), ends
    for step, *arguments in history:
        getattr(both, step)(*arguments)
        for access, (hold, ends) in list(running.items()):
            assert ends == ([] if both.is_allowed(access) else [1])
            assert hold.is_revoked is bool(ends)
            if ends:
                del running[access]
    changes = [event for event in both.events if isinstance(event, GrantsChanged)]
    started = len([access for access in ACCESSES if allows(granted, access)])
    assert sum(change.cancelled for change in changes) == started - len(running)


def test_what_is_over_is_not_cancelled():
    authority, _ = made([send("*")])
    hold = authority.hold(SENDS[0], lambda: pytest.fail("it is over"))
    authority.release(hold)
    assert authority.revoke(rules(send("*"))) == 0


def test_a_denial_says_why_and_is_reported_once_as_a_warning():
    authority, events = made([send("shop/*")], [[send("*"), ask("*")]])
    for _ in range(2):
        with pytest.raises(NotGranted, match="messaging send local/x/0 is not granted"):
            authority.check("messaging", "send", "local/x/0")
    assert [(e.actor, e.access, e.times) for e in events] == [
        (ME, SENDS[2], 1),
        (ME, SENDS[2], 2),
    ]
    authority.revoke(rules(send("shop/a")))
    with pytest.raises(NotGranted, match="any more: revoked messaging send shop/a"):
        authority.check("messaging", "send", "shop/a/0")
    with pytest.raises(NotGranted, match="beyond the bound of s0"):
        authority.check("storage", "read", "k")
    assert isinstance(events[-1], AccessDenied)


def test_what_is_lent_falls_with_the_lender():
    lender, _ = made([send("shop/*")])
    borrower, _ = made([])
    borrower.extend(rules(send("shop/a")), lender=lender)
    ended = []
    borrower.hold(SENDS[0], lambda: ended.append(1))
    borrower.check("messaging", "send", "shop/a/0")
    lender.revoke(rules(send("*")))
    assert ended == [1]
    with pytest.raises(NotGranted):
        borrower.check("messaging", "send", "shop/a/0")


def test_no_actor_lends_what_it_does_not_hold_or_only_borrowed():
    lender, _ = made([send("shop/a")])
    borrower, _ = made([])
    with pytest.raises(NotGranted, match="does not hold messaging send shop"):
        borrower.extend(rules(send("shop/*")), lender=lender)
    borrower.extend(rules(send("shop/a")), lender=lender)
    third, _ = made([])
    with pytest.raises(NotGranted, match="does not hold"):
        third.extend(rules(send("shop/a")), lender=borrower)


def test_nothing_extends_beyond_a_bound():
    authority, _ = made([], [[send("shop/*")]])
    with pytest.raises(NotGranted, match="send \\* is beyond a bound"):
        authority.extend(rules(send("*")))
    authority.extend(rules(send("shop/b")))
    assert authority.allows(SENDS[1])


def test_remembered_decisions_are_bounded_and_counted():
    seen = []
    authority, _ = made([send("*")], recorder=Recorder(seen))
    for number in range(3000):
        authority.check("messaging", "send", f"shop/n{number}/0")
        authority.check("messaging", "send", "shop/a/0")
    authority.take_account()
    assert len(authority.memo("messaging", "send")) <= 1024
    assert sum(decision.times for decision in seen) == 6000
    assert all(decision.allowed for decision in seen)


def test_a_long_text_is_not_remembered():
    authority, _ = made([store("**")])
    authority.check("storage", "read", "k" * 4000)
    assert not authority.memo("storage", "read")


def test_the_finest_clock_is_that_of_grants_within_bounds():
    for granted, bounds, finest in (
        ([], [], math.inf),
        ([clock()], [], 0),
        ([clock(0.5)], [], 0.5),
        ([clock()], [[clock(1)]], 1),
        ([clock(2), clock(0.5)], [[clock(1)]], 1),
        ([EVERYTHING], [], 0),
        ([EVERYTHING], [[clock(0.25)]], 0.25),
        ([publish("#")], [], math.inf),
    ):
        authority, _ = made(granted, bounds)
        assert authority.finest("clock", "wall") == finest


def spec(can, name="me"):
    return ActorSpec(id=ComponentId("local", name), behaviour=print, can=can)


def test_who_is_not_restricted_has_no_authority():
    register = Authorities(lambda _: None, Clock())
    assert register.open(spec(None), ()) is None
    assert register.open(spec((EVERYTHING,)), ()) is None
    bound = Bound("s", (send("*"),), rules(send("*")))
    assert register.open(spec(None, "b"), (bound,)).allows(SENDS[0])
    assert not register.open(spec(None, "b"), (bound,)).allows(ACCESSES[3])
    assert not register.open(spec(()), ()).allows(SENDS[0])


def test_a_restart_brings_nothing_back():
    register = Authorities(lambda _: None, Clock())
    authority = register.open(spec((send("*"),)), ())
    authority.revoke(rules(send("*")))
    assert register.open(spec((send("*"),)), ()) is authority
    assert not authority.allows(SENDS[0])
    authority.declare(rules(send("*")), (), anew=authority.cuts)
    assert authority.allows(SENDS[0])


@pytest.mark.parametrize("again", [False, True])
def test_a_declaration_undoes_no_cut_that_came_after_it_was_made(again):
    """CWE-367: what is revoked while new code loads is revoked for it, too."""
    authorities = Authorities(lambda _: None, Clock())
    authority = authorities.open(
        ActorSpec(id=ME, behaviour=print, can=(send("a"),)), ()
    )
    authority.revoke(rules(send("a"), send("b")))
    authority.revoke(rules(send("x")))
    before = authorities.cuts_of(ME)
    authority.revoke(rules(send("a"), send("b")) if again else rules(send("c")))
    authority.declare(rules(send("*")), (), anew=before)
    sends = [Access("messaging", "send", f"local/{name}/0") for name in "abcx"]
    expected = [False, False, True, True] if again else [True, True, False, True]
    assert [authority.allows(each) for each in sends] == expected
    authority.declare(rules(send("*"), ask("*")), ())
    assert [authority.allows(each) for each in sends] == expected
    assert authorities.cuts_of(ComponentId("local", "nobody")) == ()


def test_grants_of_a_component_are_nothing_by_default():
    assert ComponentSpec.__attrs_attrs__.can.default == ()
    assert Rules().deciding(SENDS[0]) is None
    assert Grant("messaging", ("send",), "*") == send("*")


def rule(grant):
    (found,) = rules(grant).rules
    return found


@pytest.mark.parametrize(
    ("cut", "grant", "is_spared"),
    [
        (Cut(rules(send("shop/*")), keeps=True), send("shop/a"), True),
        (Cut(rules(send("shop/*")), keeps=True), send("*"), False),
        (Cut(rules(ask("*"), send("shop/*")), keeps=True), send("shop/a"), True),
        (Cut(rules(), keeps=True), send("shop/a"), False),
        (Cut(rules(send("shop/a")), keeps=False), send("shop/b"), True),
        (Cut(rules(send("shop/a")), keeps=False), send("shop/*"), False),
        (Cut(rules(ask("*"), send("shop/a")), keeps=False), send("shop/*"), False),
        (Cut(rules(), keeps=False), send("shop/a"), True),
    ],
)
def test_what_a_cut_leaves_of_a_grant(cut, grant, is_spared):
    assert cut.spares_all(rule(grant)) is is_spared


@pytest.mark.parametrize(
    ("cut", "grant", "is_gone"),
    [
        (Cut(rules(send("shop/*")), keeps=True), send("x"), True),
        (Cut(rules(send("shop/*")), keeps=True), send("*"), False),
        (Cut(rules(send("shop/*")), keeps=True), ask("*"), True),
        (Cut(rules(ask("*"), send("shop/*")), keeps=True), send("shop/a"), False),
        (Cut(rules(), keeps=True), send("x"), True),
        (Cut(rules(send("shop/*")), keeps=False), send("shop/a"), True),
        (Cut(rules(send("shop/*")), keeps=False), send("*"), False),
        (Cut(rules(ask("*"), send("shop/*")), keeps=False), send("shop/a"), True),
        (Cut(rules(), keeps=False), send("x"), False),
    ],
)
def test_what_a_cut_takes_as_a_whole(cut, grant, is_gone):
    assert cut.takes_all(rule(grant)) is is_gone


@pytest.mark.parametrize("count", range(8))
def test_cuts_are_shown_in_words_and_not_at_length(count):
    cut = Cut(rules(*(send(f"n{number}") for number in range(count))), keeps=False)
    named = [f"messaging send n{number}" for number in range(min(count, 5))]
    more = {6: " and 1 more", 7: " and 2 more"}.get(count, "")
    assert listed(cut.rules) == ", ".join(named) + more
    assert str(cut) == f"revoked {', '.join(named) or 'nothing'}{more}"
    kept = Cut(cut.rules, keeps=True)
    assert str(kept) == f"narrowed to {', '.join(named) or 'nothing'}{more}"
