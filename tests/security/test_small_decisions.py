"""The small modules that decide one thing each, at their edges."""

import math
from types import SimpleNamespace

import attrs
import pytest

from airssys.contracts import (
    DEFAULT_QUOTAS,
    EVERYTHING,
    Access,
    ComponentId,
    ComponentSpec,
    Grant,
    Limits,
    Quota,
    Quotas,
    Requested,
)
from airssys.security import (
    ask,
    broadcast,
    clock,
    log,
    publish,
    read_files,
    read_store,
    request,
    see,
    send,
    store,
    subscribe,
)
from airssys.security.authority._cuts import Cut
from airssys.security.authority._granted import Granted
from airssys.security.authority._holds import Hold
from airssys.security.authority._verdicts import NOBODY, SENDERS, Verdict
from airssys.security.capabilities import ANY_LINE, read_grants
from airssys.security.manifest._bounded import bounded, read_quotas
from airssys.security.manifest._effective import (
    effective,
    granted_too,
    grants_of_rules,
    refused_of,
    requested,
    widened,
)
from airssys.security.policies import ungranted

TO_A = Access("messaging", "send", "local/a/0")
A, B = ComponentId("local", "a"), ComponentId("local", "b")


def rules(*grants):
    found, mistakes = read_grants(grants)
    assert not mistakes
    return found


def cut(*grants, keeps=False):
    return Cut(rules(*grants), keeps)


# ---------------------------------------------------------------- what is granted


class Lends:
    """Lends sending to `a` until some time; None: it lends nothing."""

    def __init__(self, until):
        self.until = until

    def find_own(self, access):
        if self.until is None:
            return None
        return Verdict(access, rules(send("a")).rules[0], self.until)


@pytest.mark.parametrize(
    ("now", "is_allowed"), [(0.0, True), (2.5, True), (3.0, False), (3.5, False)]
)
def test_a_grant_holds_until_its_end(now, is_allowed):
    found = Granted(rules(send("a")), until=1.0 + 2.0).deciding(TO_A, now, [])
    assert (found is not None) == is_allowed
    assert found is None or found.until == 3


@pytest.mark.parametrize(
    ("since", "is_allowed"), [(0, False), (1, False), (2, True), (3, True)]
)
def test_only_later_cuts_take_it_away(since, is_allowed):
    cuts = [cut(send("a")), cut(send("a")), cut(send("b"))]
    found = Granted(rules(send("a")), since).deciding(TO_A, 0, cuts)
    assert (found is not None) == is_allowed
    assert (
        Granted(rules(send("a"))).deciding(TO_A, 0, [cut(send("a")), cuts[2]]) is None
    )


@pytest.mark.parametrize(
    ("own", "theirs", "until"),
    [(5, 9, 5), (9, 5, 5), (math.inf, 5, 5), (5, math.inf, 5), (5, None, None)],
)
def test_what_is_lent_ends_with_the_first_of_both(own, theirs, until):
    granted = Granted(rules(send("a")), until=own, lender=Lends(theirs))
    found = granted.deciding(TO_A, 0, [])
    assert (None if found is None else found.until) == until
    assert granted.deciding(Access("messaging", "send", "local/b/0"), 0, []) is None


def test_a_hold_asks_for_each_of_its_resources_and_ends_once():
    ended = []
    one = Hold(TO_A, lambda: ended.append("one"))
    many = Hold(Access("messaging", "send"), lambda: ended.append("many"), ["x", "y"])
    assert list(one.accesses()) == [TO_A]
    assert [each.resource for each in many.accesses()] == ["x", "y"]
    assert {(each.kind, each.verb) for each in many.accesses()} == {
        ("messaging", "send")
    }
    assert not one.is_revoked
    one.revoke()
    one.revoke()
    assert (ended, one.is_revoked, many.is_revoked) == (["one"], True, False)


def test_uses_are_counted_by_sender_and_given_away_once():
    verdict = Verdict(TO_A, rules(send("a")).rules[0])
    assert (verdict.uses, verdict.sender, verdict.until) == (0, NOBODY, math.inf)
    assert list(verdict.counts()) == []
    verdict.sender, verdict.uses, verdict.others = A, 2, {A: 3, B: 4}
    assert list(verdict.counts()) == [(A, 5), (B, 4)]
    assert (verdict.uses, verdict.sender, verdict.others) == (0, NOBODY, {})
    verdict.sender, verdict.uses = None, 1
    assert list(verdict.counts()) == [(None, 1)]
    assert list(verdict.counts()) == []
    assert SENDERS == 64
    assert str(NOBODY) == "airssys/nobody/0"


# ---------------------------------------------------------------- what is needed

NEEDED = {
    "send": send("a"),
    "request": request("a"),
    "broadcast": broadcast("a"),
    "ask": ask("a"),
    "publish": publish("a"),
    "subscribe": subscribe("a"),
    "current-time": clock(),
    "current-time-millis": clock(1),
    "list-components": Grant("components", ("list",), "a"),
    "get-component-metadata": Grant("components", ("metadata",), "a"),
    "get": read_store("a"),
    "set": Grant("storage", ("write",), "a"),
    "delete": Grant("storage", ("delete",), "a"),
    "exists": read_store("a"),
    "list-keys": read_store("a"),
}
FREE = ["cancel-request", "self-id", "unsubscribe", "sleep-millis", "usage", "log"]


@pytest.mark.parametrize("function", NEEDED)
def test_a_function_needs_its_own_grant_and_no_other(function):
    needed = NEEDED[function]
    assert ungranted([function], (needed,)) == ()
    others = tuple(
        each
        for each in NEEDED.values()
        if (each.kind, each.verbs) != (needed.kind, needed.verbs)
    )
    assert ungranted([function], others) == (function,)
    assert ungranted([function], (EVERYTHING,)) == ()


def test_what_needs_no_grant_is_not_listed():
    assert ungranted([*FREE, "unknown"], ()) == ()
    assert ungranted(["log", "send"], (log("off"),)) == ("send",)
    assert ungranted(["get", "send", "log"], ()) == ("get", "send")
    assert ungranted(["list-components", "get-component-metadata"], (see("a"),)) == ()
    assert ungranted(["get", "set", "delete"], (store("a"),)) == ()


# ---------------------------------------------------------------- manifests


@pytest.mark.parametrize(
    "word", ["mailbox", "mailbox_bytes", "message_bytes", "shutdown", "start_timeout"]
)
def test_a_manifest_lowers_and_does_not_raise(word):
    default = attrs.fields_dict(ComponentSpec)[word].default
    assert bounded({word: default}) == ({word: default}, {})
    assert bounded({word: default - 1}) == ({word: default - 1}, {})
    text = f"{default + 1}, and gets {default}"
    assert bounded({word: default + 1}) == ({word: default}, {word: text})


def test_limits_and_quotas_of_a_manifest():
    most, quota = Limits().memory_bytes, DEFAULT_QUOTAS.messages_per_second
    asked = {
        "restart": "temporary",
        "limits": {"memory_bytes": most + 1, "open_files": 1, "fuel": 10**9},
        "quotas": {"messages_per_second": Quota(quota.limit + 1), "fan_out": Quota(1)},
    }
    within, above = bounded(asked)
    assert within == {
        "restart": "temporary",
        "limits": {"memory_bytes": most, "open_files": 1, "fuel": 10**9},
        "quotas": {"messages_per_second": Quota(quota.limit), "fan_out": Quota(1)},
    }
    assert set(above) == {"limits.memory_bytes", "quotas.messages_per_second"}
    assert above["limits.memory_bytes"] == f"{most + 1}, and gets {most}"
    assert asked["limits"]["memory_bytes"] == most + 1, "what was given is not changed"
    assert bounded({}) == ({}, {})


@pytest.mark.parametrize(
    ("name", "asked", "given"),
    [
        ("messages_per_second", Quota(5, 10**9), Quota(5, 10_000)),
        ("messages_per_second", Quota(5, 7), Quota(5, 7)),
        ("messages_per_second", Quota(5, at_limit="end"), Quota(5, at_limit="end")),
        ("cpu_ms_per_second", Quota(2000, 2000), Quota(1000, 1000)),
        ("cpu_ms_per_second", Quota(1000), Quota(1000)),
    ],
)
def test_a_quota_has_the_lower_limit_and_the_lower_burst(name, asked, given):
    within, above = bounded({"quotas": {name: asked}})
    assert within["quotas"][name] == given
    assert (f"quotas.{name}" in above) == (asked != given)


def test_quotas_of_a_table_are_read_one_by_one():
    assert read_quotas(None) == ({}, {})
    found, problems = read_quotas(Quotas(fan_out=3))
    assert (found, problems) == ({"fan_out": Quota(3)}, {})


def test_what_holds_is_what_is_asked_for_and_granted():
    assert effective((send("a"), ask("b")), (send("*"),)) == (send("a"),)
    assert effective((send("*"),), (send("a"),)) == (send("a"),)
    assert effective((send("a"),), (ask("a"),)) == ()
    assert effective((EVERYTHING,), (EVERYTHING,)) == (EVERYTHING,)
    assert effective((EVERYTHING,), (send("a"),)) == (send("a"),)
    assert effective((store("k"),), (read_store("**"),)) == (read_store("k"),)
    assert effective((send("a"),), "mistake") == "mistake"
    wrong = (3, send("a/b/c/d"), send("a"))
    assert effective((send("a"),), wrong) == (3, send("a/b/c/d"), send("a"))


def test_log_lines_that_only_one_of_both_names():
    assert effective((log("warn"),), (send("a"),)) == (log("warn"),)
    assert effective((send("a"),), (log("warn"), send("a"))) == (send("a"), log("warn"))
    assert effective((send("a"),), (send("a"),)) == (send("a"),)
    assert ANY_LINE not in effective((send("a"), log("warn")), (send("a"),))


def test_what_a_manifest_asks_for_and_does_not_get():
    asked = (send("a"), ask("b"), log("info"))
    described = SimpleNamespace(file="c.toml", requests=asked, above={})
    found = requested(described, (send("*"), 3))
    assert found == Requested("c.toml", asked, (send("*"),))
    assert [str(rule) for rule in refused_of(found)] == ["messaging ask b"]
    more = granted_too(found, (ask("*"),))
    assert (more.asked, more.granted) == (asked, (ask("*"),))
    assert [str(rule) for rule in refused_of(more)] == ["messaging send a"]
    assert granted_too(found, "mistake").granted == ()


def test_what_the_topology_writes_is_not_above():
    above = {"mailbox": "9, and gets 1", "limits.files": "9, and gets 1"}
    described = SimpleNamespace(file="c.toml", requests=(), above=above)
    texts = ("mailbox 9, and gets 1", "limits.files 9, and gets 1")
    for options, left in (
        (None, texts),
        ({}, texts),
        ({"mailbox": None, "limits": {}}, texts),
        ({"mailbox": 3}, texts[1:]),
        ({"limits": {"files": 3}}, texts[:1]),
        ({"limits": Limits()}, texts[:1]),
        ({"limits": {"open_files": 3}}, texts),
        ({"mailbox": {}}, texts[1:]),
    ):
        assert requested(described, (), options).above == left


def test_rules_are_written_as_the_grants_that_they_are_of():
    read = rules(read_files("/a"), send("b"))
    assert grants_of_rules(read.rules) == (read_files("/a"), send("b"))
    only = tuple(rule for rule in read.rules if rule.verb != "list")
    assert grants_of_rules(only) == (Grant("files", ("read",), "/a"), send("b"))
    assert grants_of_rules(rules(EVERYTHING).rules) == (EVERYTHING,)


def test_what_becomes_wider_is_shown_with_what_it_lacks():
    assert widened((send("a"),), (send("*"),)) == ()
    assert widened((send("a"),), (send("a"), ask("b"))) == ()
    assert widened((send("*"),), (send("a"), ask("b"))) == (
        "+ messaging send *",
        "- messaging ask b",
    )
    assert widened((log("warn"),), ()) == ()
    assert widened((), (log("warn"),)) == ("+ log emit *",)
