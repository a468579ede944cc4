"""Patterns stand for what they say and nothing else.

Whether one pattern includes another is compared with what it means: every text that the
narrow one stands for is one of the wide one. Texts are drawn from the patterns, with
their wildcards filled in.
"""

import ipaddress
import itertools
import re

import pytest
from hypothesis import given, settings, strategies as st

from airssys.contracts import MAX_TOPIC_CHARACTERS, ComponentId, is_private
from airssys.security.patterns import (
    HostPattern,
    KeyPattern,
    NamePattern,
    PathPattern,
    PatternMistake,
    Ports,
    SubscriptionPattern,
    TopicPattern,
    includes,
    matches,
    normal_host,
    normal_path,
    overlap,
    plain_address,
    read_address,
    tokens_of,
)

pytestmark = pytest.mark.measured

MANY = settings(max_examples=max(100, settings.default.max_examples))
PIECES = st.sampled_from(["a", "b", "/", "*", "**", "ab"])
PATTERNS = st.lists(PIECES, max_size=7).map("".join).filter(lambda p: "***" not in p)
TEXTS = st.text("ab/c", max_size=8)


def as_regex(pattern):
    """The same pattern for Python's own engine."""
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": ".*", "*": "[^/]*"}
    return "".join(wild.get(part, re.escape(part)) for part in parts)


@MANY
@given(PATTERNS, TEXTS)
def test_wildcards_match_as_their_regular_expression_does(pattern, text):
    found = re.fullmatch(as_regex(pattern), text, re.DOTALL) is not None
    assert matches(tokens_of(pattern), text, "/") is found


@MANY
@given(PATTERNS, PATTERNS, TEXTS)
def test_what_is_included_is_matched(wide, narrow, text):
    is_included = includes((tokens_of(wide),), tokens_of(narrow), "/")
    if is_included and matches(tokens_of(narrow), text, "/"):
        assert matches(tokens_of(wide), text, "/")


def texts_of(pattern, fill):
    """Some texts that a pattern stands for."""
    for one in fill:
        for many in fill:
            if "/" not in one:
                yield pattern.replace("**", many).replace("*", one)


@MANY
@given(PATTERNS, PATTERNS)
def test_what_is_not_included_has_a_text_that_says_so(wide, narrow):
    if not includes((tokens_of(wide),), tokens_of(narrow), "/"):
        fill = ["", "a", "b", "c", "/", "ab", "a/c", "c/c", "b/", "/a", "cc", "cac/"]
        texts = [text for text in texts_of(narrow, fill) if "*" not in text]
        outside = [t for t in texts if not matches(tokens_of(wide), t, "/")]
        assert outside or narrow.count("*") > 3, (wide, narrow)


@MANY
@given(PATTERNS, PATTERNS, TEXTS)
def test_patterns_that_do_not_overlap_share_no_text(one, other, text):
    first, second = tokens_of(one), tokens_of(other)
    if matches(first, text, "/") and matches(second, text, "/"):
        assert overlap(first, second, "/")


def test_a_pattern_made_to_take_long_is_answered_with_no():
    wide = tokens_of("**a" + "*b**a" * 7)
    assert includes((wide,), tokens_of("**"), "/") is False


# -- paths

ROOTED = "/app/data/../../../etc/passwd"


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("/a//b/./c/", "/a/b/c"),
        ("/a/../b", "/b"),
        ("/..", None),
        (ROOTED, None),
        ("/app/data/../../etc/passwd", "/etc/passwd"),
        ("relative", None),
        ("", None),
        ("/a\0b", None),
        ("/\ud800", None),
        ("/%2e%2e/x", "/%2e%2e/x"),
        ("/\u2024\u2024/x", "/\u2024\u2024/x"),
        ("/" + "a" * 5000, None),
        ("/a..b", "/a..b"),
        ("/...", "/..."),
    ],
)
def test_paths_are_made_normal_or_refused(path, normal):
    assert normal_path(path) == normal


@pytest.mark.parametrize(
    ("pattern", "path", "verdict"),
    [
        ("/app/data/*.json", "/app/data/a.json", True),
        ("/app/data/*.json", "/app/data/sub/a.json", False),
        ("/app/data/**/*.log", "/app/data/x/y/a.log", True),
        ("/app/data/*", ROOTED, False),
        ("/app/data/*", "/app/data/../../etc/passwd", False),
        ("/app/data/*", "/app/data/../data/x", True),
        ("/app/data/**", "/app/data", True),
        ("/app/data/**", "/app/database", False),
        ("/app/data/**", "/app/data/", True),
        ("/app/data/*", "/APP/data/x", False),
        ("/app/*", "", False),
        ("/app/file[1].txt", "/app/file[1].txt", True),
        ("/app/file[1].txt", "/app/file1.txt", False),
        ("/app/*", "/app/%2e%2e/etc", False),
        ("/**", "/", True),
        ("/a*", "/a\n", True),
    ],
)
def test_which_paths_a_pattern_stands_for(pattern, path, verdict):
    assert PathPattern.parse(pattern).matches(path) is verdict


@pytest.mark.parametrize(
    "pattern",
    ["", "data", "/../x", "/a/../b", "/a//b", "/a/***", "/a\0", "/" + "*/" * 20 + "x"],
)
def test_patterns_of_paths_that_are_mistakes(pattern):
    with pytest.raises(PatternMistake):
        PathPattern.parse(pattern)


PATHS = st.lists(
    st.sampled_from(["a", "b", "*", "**", "a*"]), min_size=1, max_size=4
).map(lambda parts: "/" + "/".join(parts))


@MANY
@given(PATHS, PATHS, st.lists(st.sampled_from("abc"), max_size=5))
def test_a_path_pattern_that_includes_another_stands_for_all_of_it(wide, narrow, parts):
    path = "/" + "/".join(parts)
    one, other = PathPattern.parse(wide), PathPattern.parse(narrow)
    assert one.includes(one)
    if one.includes(other) and other.matches(path):
        assert one.matches(path)


@pytest.mark.parametrize(
    ("wide", "narrow", "verdict"),
    [
        ("/data/**", "/data", True),
        ("/data/**", "/data/*", True),
        ("/data/**", "/data/a/**", True),
        ("/data/*", "/data/**", False),
        ("/data/**", "/database", False),
        ("/**", "/x/*/y", True),
        ("/a/*", "/a/*.txt", True),
        ("/a/*.txt", "/a/*", False),
    ],
)
def test_which_path_patterns_include_which(wide, narrow, verdict):
    assert PathPattern.parse(wide).includes(PathPattern.parse(narrow)) is verdict


def test_keys_are_compared_as_they_are():
    assert KeyPattern.parse("cart/*").matches("cart/../other") is False
    assert KeyPattern.parse("cart/**").matches("cart/../other")
    assert KeyPattern.parse("**").includes(KeyPattern.parse("cart/*"))
    with pytest.raises(PatternMistake):
        KeyPattern.parse("")


# -- names and topics


@pytest.mark.parametrize(
    ("pattern", "name", "verdict"),
    [
        ("worker", "local/worker/0", True),
        ("worker", "local/worker/17", True),
        ("worker", "shop/worker/0", False),
        ("shop/orders/*", "shop/orders/0", True),
        ("shop/*/*", "shop/orders/0", True),
        ("*", "a/b/c", True),
        ("shop/orders/0", "shop/orders/1", False),
        ("shop/*/*", "shop/orders", False),
        ("shop/orders", "shop/orders/7", True),
        ("shop/orders", "local/orders/7", False),
    ],
)
def test_which_names_a_pattern_stands_for(pattern, name, verdict):
    assert NamePattern.parse(pattern).matches(name) is verdict


@pytest.mark.parametrize(
    "pattern", ["", "a/", "/b", "a/b/c/d", "a//c", "sh*p/a/b", "a/b/\n", "x" * 200]
)
def test_patterns_of_names_that_are_mistakes(pattern):
    with pytest.raises(PatternMistake):
        NamePattern.parse(pattern)


SEGMENTS = st.sampled_from(["a", "b", "*"])


@MANY
@given(
    st.tuples(*[SEGMENTS] * 3),
    st.tuples(*[SEGMENTS] * 3),
    st.tuples(*[st.sampled_from("abc")] * 3),
)
def test_names_are_compared_exactly(wide, narrow, name):
    one, other = (NamePattern.parse("/".join(p)) for p in (wide, narrow))
    names = ["/".join(each) for each in itertools.product("abc", repeat=3)]
    both = [each for each in names if one.matches(each) and other.matches(each)]
    assert one.overlaps(other) is bool(both)
    assert one.includes(other) is (
        both == [each for each in names if other.matches(each)]
    )
    text = "/".join(name)
    assert one.of(ComponentId(*name)) is one.matches(text)
    assert str(one) == "/".join(wide)


@MANY
@given(
    st.tuples(*[SEGMENTS] * 3),
    st.tuples(*[SEGMENTS] * 3),
    st.tuples(*[st.sampled_from("abc")] * 3),
)
def test_names_included_are_matched(wide, narrow, name):
    one, other = (NamePattern.parse("/".join(p)) for p in (wide, narrow))
    if one.includes(other) and other.matches("/".join(name)):
        assert one.matches("/".join(name))
    if not one.includes(other):
        filled = "/".join("c" if part == "*" else part for part in narrow)
        assert other.matches(filled)
        assert not one.matches(filled)


TOPICS = st.lists(SEGMENTS, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([".".join(parts), ".".join([*parts, "#"])])
)


@MANY
@given(TOPICS, TOPICS, st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_topics_included_are_matched(wide, narrow, path):
    one, other, topic = (
        TopicPattern.parse(wide),
        TopicPattern.parse(narrow),
        ".".join(path),
    )
    if one.includes(other) and other.matches(topic):
        assert one.matches(topic)
    if not one.includes(other):
        ends = ["", "c", "c.c", "c.c.c.c"]
        filled = [
            narrow.replace("*", "c").replace(".#", f".{end}" if end else "")
            for end in ends
        ]
        assert any(other.matches(t) and not one.matches(t) for t in filled)


TOO_LONG = "a" * (MAX_TOPIC_CHARACTERS + 1)


@pytest.mark.parametrize(
    "wrong",
    ["", "a..b", ".a", "#.a", "a.#.b", "a b", "a*", TOO_LONG, ".".join("a" * 17)],
)
def test_patterns_of_topics_that_are_mistakes(wrong):
    with pytest.raises(PatternMistake):
        TopicPattern.parse(wrong)
    with pytest.raises(PatternMistake):
        SubscriptionPattern.parse(wrong)
    every = SubscriptionPattern.parse("#")
    assert every.matches(wrong) is False
    assert every.touches(wrong) is False


def test_the_longest_topics_and_names():
    assert TopicPattern.parse("#").matches(TOO_LONG[1:])
    assert not TopicPattern.parse("#").matches(TOO_LONG)
    assert NamePattern.parse("a" * 128).segments[1] == "a" * 128
    with pytest.raises(PatternMistake, match="longer than any name"):
        NamePattern.parse("a" * 129)


SOME_TOPICS = [
    ".".join(each)
    for size in range(1, 6)
    for each in itertools.product("abc", repeat=size)
]


@pytest.mark.parametrize(
    "wide", ["a.b", "a.*", "*.b", "#", "a.#", "a.b.#", "*.#", "*.*.#", "a"]
)
@pytest.mark.parametrize(
    "narrow", ["a.b", "a.*", "*.b", "#", "a.#", "a.b.#", "*.#", "*.*.#", "a"]
)
def test_topics_are_compared_exactly(wide, narrow):
    one, other = TopicPattern.parse(wide), TopicPattern.parse(narrow)
    both = [
        topic for topic in SOME_TOPICS if one.matches(topic) and other.matches(topic)
    ]
    stands_for = [topic for topic in SOME_TOPICS if other.matches(topic)]
    is_wide = stands_for == both and (wide, narrow) != ("*.#", "#")  # no is safe
    assert one.includes(other) is is_wide
    assert one.overlaps(other) is bool(both)
    granted, wanted = SubscriptionPattern(one), SubscriptionPattern(other)
    assert granted.includes(wanted) is is_wide
    assert granted.overlaps(wanted) is bool(both)
    assert (str(one), str(SubscriptionPattern(one))) == (wide, wide)


# -- hosts


@pytest.mark.parametrize(
    ("pattern", "host", "verdict"),
    [
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("**.example.com", "a.b.example.com", True),
        ("**.example.com", "example.com", False),
        ("example.com", "EXAMPLE.com.", True),
        ("example.com", "example.com..", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("*", "anything.example", True),
        ("*", "10.0.0.1", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "[::ffff:10.1.2.3]", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("[2001:db8::]/32", "2001:db8::1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", False),
        ("*.example.com", "api.example.com@evil.example", False),
        ("*.example.com", "evil.example/.example.com", False),
        ("*.example.com", "x\0.example.com", False),
        ("0.0.0.0/0", "2130706433", False),
        ("*", "0x7f000001", False),
        ("*", "127.1", False),
    ],
)
def test_which_hosts_a_pattern_stands_for(pattern, host, verdict):
    assert HostPattern.parse(pattern).matches(host) is verdict


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "*.",
        "**",
        "a*.example.com",
        "*.*.com",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "a b",
        ".com",
    ],
)
def test_patterns_of_hosts_that_are_mistakes(pattern):
    with pytest.raises(PatternMistake):
        HostPattern.parse(pattern)


LABELS = st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=3).map(".".join)
HOSTS = LABELS | LABELS.map("*.{}".format) | LABELS.map("**.{}".format) | st.just("*")


@MANY
@given(
    HOSTS, HOSTS, st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(".".join)
)
def test_hosts_included_are_matched(wide, narrow, host):
    one, other = HostPattern.parse(wide), HostPattern.parse(narrow)
    assert one.includes(one)
    if one.includes(other) and other.matches(host):
        assert one.matches(host)


UNIVERSE = [
    ".".join(each)
    for size in range(1, 6)
    for each in itertools.product("abx", repeat=size)
]
NAMED = [
    "a",
    "a.b",
    "x.a.b",
    "*.b",
    "*.a.b",
    "**.b",
    "**.a.b",
    "*",
    "b.a.b",
    "**.x.a.b",
]


@pytest.mark.parametrize("wide", NAMED)
@pytest.mark.parametrize("narrow", NAMED)
def test_hosts_are_included_exactly_when_each_is_matched(wide, narrow):
    one, other = HostPattern.parse(wide), HostPattern.parse(narrow)
    stands_for = [host for host in UNIVERSE if other.matches(host)]
    assert one.includes(other) is all(map(one.matches, stands_for))


RANGES = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.3",
    "0.0.0.0/0",
    "::/0",
    "fe80::/10",
    "::1",
]


@pytest.mark.parametrize("wide", [*RANGES, "*", "a.b"])
@pytest.mark.parametrize("narrow", RANGES)
def test_ranges_of_addresses_include_what_is_in_them(wide, narrow):
    one, other = HostPattern.parse(wide), HostPattern.parse(narrow)
    expected = False
    if one.network is not None and one.network.version == other.network.version:
        expected = other.network.subnet_of(one.network)
    assert one.includes(other) is expected
    assert not HostPattern.parse(narrow).includes(HostPattern.parse("a.b"))


def test_an_address_in_a_zone_is_that_address():
    scoped = ipaddress.ip_address("fe80::1%eth0")
    assert plain_address(scoped) == ipaddress.ip_address("fe80::1")
    assert HostPattern.parse("fe80::/10").matches("fe80::1%eth0")
    mapped = ipaddress.ip_address("::ffff:10.0.0.1%1")
    assert plain_address(mapped) == ipaddress.ip_address("10.0.0.1")


def test_ranges_of_mapped_addresses():
    """Those of all IPv4 addresses, and ranges that have other ones too."""
    assert HostPattern.parse("::ffff:0.0.0.0/96").text == "0.0.0.0/0"
    assert HostPattern.parse("::/0").network.version == 6
    with pytest.raises(PatternMistake, match="host bits"):
        HostPattern.parse("::ffff:0.0.0.0/95")
    assert HostPattern.parse("[::ffff:10.0.0.1]").text == "10.0.0.1/32"


def test_the_longest_name_of_a_host():
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert len(longest) == 253
    assert normal_host(longest)
    assert normal_host(f"{longest}.")
    assert normal_host(f"{longest}b") is None
    assert normal_host(f"{longest}..") is None


@given(st.ip_addresses())
def test_an_address_is_itself_and_in_its_ranges(address):
    host = f"[{address}]" if address.version == 6 else str(address)
    plain = read_address(host)
    assert HostPattern.parse(str(plain)).matches(host)
    whole = "0.0.0.0/0" if plain.version == 4 else "::/0"
    assert HostPattern.parse(whole).includes(HostPattern.parse(str(plain)))
    assert normal_host(str(address)) is None


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "fc00::1",
     "::ffff:127.0.0.1", "224.0.0.1", "100.64.0.1", "fe80::1%eth0"],
)  # fmt: skip
def test_addresses_that_a_name_should_not_lead_to(address):
    assert is_private(ipaddress.ip_address(address))
    assert not is_private(ipaddress.ip_address("8.8.8.8"))


@pytest.mark.parametrize(
    ("ports", "port", "verdict"),
    [
        (443, 443, True),
        ("443", 80, False),
        ("8000-8999", 8999, True),
        ("8000-8999", 8000, True),
        ("8000-8999", 9000, False),
        ("8000-8999", 7999, False),
        ("*", 1, True),
        ("*", 65535, True),
        ("65535", 65535, True),
        ("1-65535", 65535, True),
    ],
)
def test_which_ports(ports, port, verdict):
    assert Ports.parse(ports).matches(port) is verdict


@pytest.mark.parametrize(
    "ports", [0, 65536, -1, "", "1-", "-1", "9-8", "8o", "1-2-3", True, "٣", "9" * 400]
)
def test_ports_that_are_mistakes(ports):
    with pytest.raises(PatternMistake):
        Ports.parse(ports)


def test_ports_include_what_is_between():
    assert Ports.parse("*").includes(Ports.parse("80-90"))
    assert not Ports.parse("80-90").includes(Ports.parse("85-91"))
    assert [str(Ports.parse(p)) for p in ("*", 80, "80-90")] == ["*", "80", "80-90"]


TOPICS = st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3)
SUBSCRIPTIONS = st.builds(
    lambda segments, rest: ".".join([*segments, *rest]),
    TOPICS,
    st.sampled_from([[], ["#"]]),
)


@MANY
@given(SUBSCRIPTIONS, SUBSCRIPTIONS)
def test_subscriptions_touch_when_a_topic_fits_both(granted, wanted):
    pattern = SubscriptionPattern.parse(granted)
    asked = TopicPattern.parse(wanted)
    both = [t for t in SOME_TOPICS if pattern.topics.matches(t) and asked.matches(t)]
    assert pattern.touches(wanted) is bool(both)
    every = all(pattern.topics.matches(t) for t in SOME_TOPICS if asked.matches(t))
    assert not pattern.matches(wanted) or every
