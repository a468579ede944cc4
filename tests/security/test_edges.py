"""The exact edges of patterns, quotas, authorities and checks: one more is one too many.

The properties of the other files hold anywhere between the edges; each test here fails if
a bound moves by one, or if its comparison takes in the other side.
"""

import math

import pytest

from airssys.contracts import (
    MAX_DEPTH,
    Access,
    ActorSpec,
    AtTheLimit,
    Blueprint,
    ComponentId,
    NotGranted,
    Quota,
    SupervisorSpec,
)
from airssys.security import send, store, subscribe
from airssys.security.authority import Authorities, Authority
from airssys.security.capabilities import (
    AtLeast,
    Endpoint,
    Everything,
    Exactly,
    Kind,
    Origin,
    Rules,
    Words,
    define_kind,
    read_grants,
)
from airssys.security.patterns import (
    KeyPattern,
    NamePattern,
    PathPattern,
    PatternMistake,
    Ports,
    _wildcards,
    includes,
    matches,
    normal_path,
    tokens_of,
)
from airssys.security.policies import Bound, grant_mistakes
from airssys.security.quotas import Account, Accounts, Amount, Rate, Shortage

ME = ComponentId("local", "me")


def rules(*grants):
    found, mistakes = read_grants(grants)
    assert not mistakes
    return found


# ---------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    ("pattern", "text", "verdict"),
    [
        ("ab*ba", "abba", True),
        ("ab*ba", "aba", False),
        ("ab*ba", "ab/ba", False),
        ("ab**ba", "ab/ba", True),
        ("a*b*c", "abc", True),
        ("a*b*c", "ac", False),
        ("a*b*c", "axbxc", True),
        ("a*b*c", "ax/bxc", False),
        ("a*b**c", "axb/c", True),
        ("*", "", True),
        ("*", "/", False),
        ("**", "/", True),
        ("", "", True),
        ("", "a", False),
        ("a", "aa", False),
    ],
)
def test_wildcards_at_their_ends(pattern, text, verdict):
    assert matches(tokens_of(pattern), text, "/") is verdict


@pytest.mark.parametrize(("most", "verdict"), [(2, False), (3, True)])
def test_the_search_ends_beyond_the_most_states(monkeypatch, most, verdict):
    monkeypatch.setattr(_wildcards, "MOST_STATES", most)
    # "ab" has three states, and each is seen with what "**" may be in then.
    assert includes([tokens_of("**")], tokens_of("ab"), "/") is verdict


@pytest.mark.parametrize(("length", "verdict"), [(4096, True), (4097, False)])
def test_the_longest_path_and_key(length, verdict):
    path, key = "/" + "a" * (length - 1), "k" * length
    assert (normal_path(path) == path) is verdict
    assert PathPattern.parse("/**").matches(path) is verdict
    assert KeyPattern.parse("**").matches(key) is verdict
    for kind, text in ((PathPattern, path), (KeyPattern, key)):
        if verdict:
            assert kind.parse(text).matches(text)
        else:
            with pytest.raises(PatternMistake):
                kind.parse(text)


@pytest.mark.parametrize(("count", "is_valid"), [(16, True), (17, False)])
@pytest.mark.parametrize("wild", ["*", "**"])
def test_the_most_wildcards(count, is_valid, wild):
    for kind, text in (
        (PathPattern, f"/{wild}" * count),
        (KeyPattern, f"{wild}/" * count),
    ):
        if is_valid:
            assert kind.parse(text).text == text
        else:
            with pytest.raises(PatternMistake, match="more than 16"):
                kind.parse(text)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/.", "/"),
        ("/a/..", "/"),
        ("/a/../..", None),
        ("/a/b/../..", "/"),
        ("//", "/"),
        ("/a/.", "/a"),
        ("/.a", "/.a"),
        ("/..a", "/..a"),
        ("/a/", "/a"),
    ],
)
def test_paths_that_end_at_the_root(path, normal):
    assert normal_path(path) == normal


def test_a_folder_is_part_of_all_that_is_in_it_and_no_other():
    found = PathPattern.parse("/**")
    assert (found.matches("/"), found.beginning) == (True, "/")
    data = PathPattern.parse("/data/**")
    assert data.beginning == "/data"
    assert [data.matches(p) for p in ("/dat", "/data", "/data/", "/dataa")] == [
        *(False, True, True, False)
    ]


def test_names_have_one_to_three_segments():
    assert NamePattern.parse("a").segments == ("local", "a", "*")
    assert NamePattern.parse("a/b").segments == ("a", "b", "*")
    assert NamePattern.parse("a/b/c").segments == ("a", "b", "c")
    with pytest.raises(PatternMistake, match="4 segments"):
        NamePattern.parse("a/b/c/d")


# ---------------------------------------------------------------- kinds


def test_resolutions_at_their_edges():
    assert AtLeast.parse("0").seconds == AtLeast.parse("*").seconds == 0
    for wrong in ("-0.001", "inf", "nan", "", "soon"):
        with pytest.raises(PatternMistake):
            AtLeast.parse(wrong)
    second = AtLeast.parse("1")
    assert [second.matches(text) for text in ("0.999", "1", "1.001")] == [
        *(False, True, True)
    ]
    assert [second.includes(AtLeast(n)) for n in (0.999, 1, 1.001)] == [
        *(False, True, True)
    ]


@pytest.mark.parametrize(
    ("resource", "verdict"),
    [
        ("a.example:0", False),
        ("a.example:1", True),
        ("a.example:65535", True),
        ("a.example:65536", False),
        ("a.example:00001", True),
        ("a.example:000001", False),
        ("a.example:", False),
        ("a.example", False),
        (":1", False),
        ("a.example:-1", False),
        ("a.example:\u0661", False),
    ],
)
def test_ports_of_endpoints(resource, verdict):
    assert Endpoint.parse("a.example:*").matches(resource) is verdict


@pytest.mark.parametrize("wrong", ["a.example", ":80", "a.example:", ""])
def test_endpoints_have_a_host_and_a_port(wrong):
    with pytest.raises(PatternMistake):
        Endpoint.parse(wrong)


def test_both_host_and_ports_are_included():
    wide = Endpoint.parse("*.a.example:80-90")
    for narrow, verdict in (
        *(("x.a.example:80", True), ("x.a.example:90", True)),
        *(("x.a.example:79-80", False), ("x.b.example:80", False)),
    ):
        assert wide.includes(Endpoint.parse(narrow)) is verdict
    assert Ports.parse("80-90").includes(Ports.parse("80-90"))


def encoded(text, times):
    return text if not times else encoded(text.replace("%", "%25"), times - 1)


@pytest.mark.parametrize(("times", "verdict"), [(0, True), (2, True), (3, False)])
def test_a_path_is_not_decoded_for_ever(times, verdict):
    """Each reading takes a step, and so does seeing that nothing is left to decode."""
    origin = Origin.parse("https://a.example/v1")
    url = f"https://a.example:443/v1/{encoded('%2f', times)}"
    assert origin.matches(url) is verdict


def test_a_path_is_below_itself_and_not_below_its_beginning():
    origin = Origin.parse("https://a.example/v1")
    at = "https://a.example:443"
    assert [
        origin.matches(f"{at}{p}") for p in ("/v1", "/v1/", "/v1/x", "/v1x", "/v", "")
    ] == [*(True, True, True, False, False, False)]
    assert Origin.parse("https://a.example").matches(at)
    assert not origin.matches("http://a.example:443/v1")


_NOT_NAMES = [
    f"{before}{wrong}{after}"
    for wrong in (
        "=",
        "A=B",
        "a b",
        "\0",
        "\n",
        "\t",
        "\x1b",
        "\u202e",
        "\u00a0",
        "\ud800",
    )
    for before, after in (("", ""), ("A,x", "y"), ("x", "y,A"))
]
"""What no variable and no method is called: a grant of it would allow nothing."""


def test_words_everything_and_exactly():
    assert Words.parse("a, b").words == {"a", "b"}
    assert Words.parse(f"PATH,{'a' * 300}").words == {"PATH", "a" * 300}
    for wrong in ("", "a,", "a,,b", "a*", *_NOT_NAMES):
        with pytest.raises(PatternMistake):
            Words.parse(wrong)
    some, every = Words.parse("a,b"), Words.parse("*")
    assert (every.includes(some), some.includes(every), some.includes(some)) == (
        *(True, False, True),
    )
    assert not some.includes(Words.parse("a,c"))
    assert Everything.parse("*").matches("x")
    for kind in (Everything, Exactly):
        with pytest.raises(PatternMistake):
            kind.parse("")
    with pytest.raises(PatternMistake, match="NUL"):
        Exactly.parse("/data\0")
    assert Exactly.parse("/my data = x").matches("/my data = x")
    assert not Exactly.parse("a").includes(Exactly.parse("ab"))


@pytest.mark.parametrize(
    ("name", "verbs", "limits"),
    [
        ("K", ["v"], []),
        ("1k", ["v"], []),
        ("", ["v"], []),
        ("edges", [], []),
        ("edges", ["V"], []),
        ("edges", ["v"], ["a b"]),
        ("log", ["v"], []),
    ],
)
def test_kinds_that_are_none(name, verbs, limits):
    read = Words.parse
    kind = Kind(name, dict.fromkeys(verbs, read), dict.fromkeys(limits, read))
    with pytest.raises(ValueError, match=r"is not a word|nothing|another kind"):
        define_kind(kind)


# ---------------------------------------------------------------- quotas


def test_an_amount_has_room_up_to_its_limit():
    amount = Amount(10)
    amount.take(7, 0)
    assert (amount.wait_for(3, 0), amount.wait_for(4, 0)) == (0, math.inf)
    amount.give_back(8)
    assert (amount.used(0), amount.wait_for(10, 0)) == (0, 0)
    assert amount.wait_for(11, 0) == math.inf
    assert Amount(0).wait_for(0, 0) == 0


def test_a_rate_has_a_burst_at_once_and_no_more():
    rate = Rate(4, 8)
    assert (rate.wait_for(8, 0), rate.wait_for(9, 0)) == (0, math.inf)
    rate.take(8, 0)
    assert rate.wait_for(1, 0) == 0.25
    assert rate.wait_for(1, 0.25) == 0
    assert rate.used(100) == 0
    assert Rate(3).limit == 3
    assert Rate(3, 0).limit == 0


def test_a_rate_of_nothing_a_second_is_used_up_once():
    rate = Rate(0, 5)
    assert rate.wait_for(5, 0) == 0
    rate.take(5, 0)
    assert (rate.wait_for(0, 9), rate.wait_for(1, 9)) == (0, math.inf)
    rate.give_back(6)
    assert rate.used(9) == 0, "it does not run over"


def test_another_rate_keeps_what_was_used():
    rate = Rate(10)
    rate.take(6, 0)
    rate.change(20, None)
    assert (rate.used(0), rate.limit, rate.per_second) == (6, 20, 20)
    rate.change(1, 4)
    assert (rate.used(0), rate.wait_for(1, 0)) == (6, 3)


@pytest.mark.parametrize(
    ("before", "amount", "shares"),
    [
        (0, 79, []),
        (0, 80, [0.8]),
        (0, 94, [0.8]),
        (0, 95, [0.95]),
        (80, 14, []),
        (80, 15, [0.95]),
        (79, 1, [0.8]),
    ],
)
def test_the_shares_that_are_reported(before, amount, shares):
    account = Account("a", {"bytes": Amount(100)})
    account.reserve({"bytes": before}, 0)
    assert [w.share for w in account.reserve({"bytes": amount}, 0).warned] == shares


@pytest.mark.parametrize(("left", "shares"), [(50, [0.8]), (51, [])])
def test_a_share_is_reported_again_after_half_was_free(left, shares):
    account = Account("a", {"bytes": Amount(100)})
    account.reserve({"bytes": 80}, 0)
    account.give_back("bytes", 80 - left)
    account.reserve({"bytes": 0}, 0)
    found = account.reserve({"bytes": 80 - left}, 0).warned
    assert [w.share for w in found] == shares


def test_a_limit_of_nothing_has_no_shares():
    account = Account("a", {"bytes": Amount(0)})
    assert account.reserve({"bytes": 0}, 0).warned == ()
    found = account.reserve({"bytes": 1}, 0)
    assert (found.wait, [w.share for w in found.warned]) == (math.inf, [1.0])


def test_of_equal_accounts_the_nearest_is_named():
    top = Account("top", {"bytes": Amount(1)})
    low = Account("low", {"bytes": Amount(1)}, top)
    assert low.reserve({"bytes": 2}, 0).account == "low"


def test_a_whole_burst_may_be_taken_ahead():
    account = Account("a", quotas={"messages_per_second": Quota(2, burst=4)})
    account.reserve_ahead({"messages_per_second": 4}, 0)
    _, wait = account.reserve_ahead({"messages_per_second": 4}, 0)
    assert wait == 2
    found = account.reserve_ahead({"messages_per_second": 5}, 0)
    assert isinstance(found, Shortage)


def test_the_severest_action_is_the_answer():
    actions = [AtTheLimit.DELAY, AtTheLimit.REFUSE, AtTheLimit.END]
    for first, low in enumerate(actions):
        for second, high in enumerate(actions):
            quotas = [
                {"messages_per_second": Quota(1, burst=1, at_limit=each)}
                for each in (high, low)
            ]
            top = Account("top", quotas=quotas[0])
            below = Account("low", parent=top, quotas=quotas[1])
            below.charge({"messages_per_second": 1}, 0)
            found = below.reserve({"messages_per_second": 1}, 0)
            assert found.action is actions[max(first, second)]


QUOTAS = {"storage_bytes": Quota(100)}


def test_idle_accounts_are_looked_for_at_the_64th_name_and_later_after_as_many():
    accounts = Accounts(lambda: 0.0)

    def leave(*numbers, stored=0):
        for number in numbers:
            found = accounts.open(f"a{number}", QUOTAS)
            found.charge({"storage_bytes": stored}, 0)
            accounts.release(f"a{number}")

    leave(0, stored=1)
    leave(*range(1, 63))
    assert accounts.find("a1") is not None
    leave(63)
    assert [accounts.find(f"a{n}") is None for n in (0, 1, 63)] == [False, True, True]
    leave(*range(100, 164))
    assert accounts.find("a163") is not None, (
        "65 names: one is kept, so the next time is at 66"
    )
    leave(164)
    assert accounts.find("a100") is None


# ---------------------------------------------------------------- authority


class Time:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def authority(*granted, now=None):
    return Authority(ME, rules(*granted), (), lambda _: None, now or Time())


def test_as_many_decisions_are_remembered_and_then_none():
    found = authority(send("*"))
    memo = found.memo("messaging", "send")
    for number in range(1024):
        found.check("messaging", "send", f"local/n{number}/0")
    assert len(memo) == 1024
    found.check("messaging", "send", "local/n0/0")
    assert len(memo) == 1024, "it is remembered already"
    found.check("messaging", "send", "local/more/0")
    assert len(memo) == 1


@pytest.mark.parametrize(("length", "remembered"), [(512, 1), (513, 0)])
def test_how_long_a_text_is_remembered(length, remembered):
    found = authority(store("**"))
    found.check("storage", "read", "k" * length)
    assert len(found.memo("storage", "read")) == remembered


def test_how_much_of_a_denied_text_is_kept():
    events = []
    found = Authority(ME, Rules(), (), events.append, Time())
    for length in (200, 201, 512, 513):
        with pytest.raises(NotGranted):
            found.check("storage", "read", "k" * length)
    why = [event.why.count("k" * 200) and "…" in event.why for event in events]
    assert why == [False, True, True, True]
    assert [event.access.resource.endswith("…") for event in events] == [
        *(False, False, False, True)
    ]


def test_a_denial_is_counted_by_itself_for_as_many_resources():
    events = []
    found = Authority(ME, Rules(), (), events.append, Time())
    for number in (*range(1024), 0, 1024, 1025, 1023):
        with pytest.raises(NotGranted):
            found.check("storage", "read", f"k{number}")
    assert [event.times for event in events[1023:]] == [1, 2, 2, 3, 2]


def test_what_expires_ends_at_its_moment():
    time = Time()
    found = authority(now=time)
    found.extend(rules(send("a")), until=5.0)
    access = Access("messaging", "send", "local/a/0")
    time.now = 4.999
    assert found.check(access.kind, access.verb, access.resource).until == 5.0
    assert found.expire(4.999) == 5.0
    time.now = 5.0
    assert not found.allows(access)
    with pytest.raises(NotGranted):
        found.check(access.kind, access.verb, access.resource)
    assert found.expire(5.0) == math.inf
    assert found.grants == ()


def spec(can, name="me"):
    return ActorSpec(id=ComponentId("local", name), behaviour=print, can=can)


def test_an_authority_belongs_to_its_name_until_that_is_released():
    register = Authorities(lambda _: None, Time())
    access = Access("messaging", "send", "local/a/0")
    found = register.open(spec((send("a"),)), ())
    assert register.open(spec((send("a"),)), ()) is found
    nothing = register.nothing(ME)
    assert not nothing.allows(access)
    assert register.find(ME) is found
    register.release(ME)
    assert register.find(ME) is None


def test_a_name_that_was_changed_is_kept_when_it_is_given_up():
    register = Authorities(lambda _: None, Time())
    found = register.open(spec((send("a"),)), ())
    found.revoke(rules(send("a")))
    register.release(ME)
    assert register.find(ME) is found


def test_all_gates_close_also_for_those_that_come_later():
    register = Authorities(lambda _: None, Time())
    early = register.open(spec((send("a"),)), ())
    access = Access("messaging", "send", "local/a/0")
    register.close("the disk is full")
    late = register.open(spec((send("a"),), "late"), ())
    assert not (early.allows(access))
    assert not (late.allows(access))
    with pytest.raises(NotGranted, match="the disk is full"):
        late.check("messaging", "send", "local/a/0")
    register.close(None)
    assert early.allows(access)
    assert late.allows(access)


def test_the_next_end_is_the_earliest():
    register = Authorities(lambda _: None, Time())
    assert register.expire() == math.inf
    for name, until in (("a", 9.0), ("b", 3.0)):
        register.open(spec((), name), ()).extend(rules(send("x")), until=until)
    assert register.expire() == 3.0


# ---------------------------------------------------------------- checks


def nested(depth, inner):
    for number in range(depth):
        inner = SupervisorSpec(name=f"s{number}", children=(inner,))
    return inner


@pytest.mark.parametrize(("depth", "found"), [(1, 1), (MAX_DEPTH, 1)])
def test_grants_are_checked_down_to_the_deepest_actor(depth, found):
    wrong = spec((send("a/b/c/d"),))
    mistakes = grant_mistakes(Blueprint(root=nested(depth, wrong)))
    assert len(mistakes) == found


def test_the_place_of_each_wrong_grant():
    can = (send("a"), send(""), store("k"), send("a/b/c/d"))
    root = SupervisorSpec(name="s", children=(spec(()), spec(can, "x")))
    places = [each.path for each in grant_mistakes(Blueprint(root=root))]
    assert places == ["$.root.children[1].can[1]", "$.root.children[1].can[3]"]


def test_bounds_add_up_on_the_way_down():
    inner = SupervisorSpec(
        name="in", children=(spec((send("a"),)),), bound=(send("b"),)
    )
    outer = SupervisorSpec(name="out", children=(inner,), bound=(send("*"),))
    (mistake,) = grant_mistakes(Blueprint(root=outer))
    assert "goes beyond the bound of in" in mistake.found
    wider = SupervisorSpec(name="in", children=(), bound=(send("*"),))
    tight = SupervisorSpec(name="out", children=(wider,), bound=(send("a"),))
    (mistake,) = grant_mistakes(Blueprint(root=tight))
    assert (mistake.path, "bound of out" in mistake.found) == (
        *("$.root.children[0].bound", True),
    )


def test_topics_are_granted_one_by_one():
    made = ActorSpec(
        id=ME,
        behaviour=print,
        can=(subscribe("a.*"),),
        topics=("a.b", "a", "a.*", "a.#"),
    )
    mistakes = grant_mistakes(Blueprint(root=nested(1, made)))
    assert [each.found.split("'")[1] for each in mistakes] == ["a", "a.#"]


def test_the_bound_of_a_bound_is_not_asked_of_free_actors():
    free = ActorSpec(id=ME, behaviour=print, can=None, topics=("a",))
    root = SupervisorSpec(name="s", children=(free,), bound=(send("a"),))
    assert grant_mistakes(Blueprint(root=root)) == []
    assert Bound("s", (), Rules()) == Bound("s", (), rules(send("a")))
