"""Among many grants the one that decides is found by the beginning of the resource."""

import time

import idna
import pytest
from hypothesis import example, given, settings, strategies as st

from airssys.contracts import Access
from airssys.security import (
    ask,
    connect,
    custom,
    everything,
    http,
    publish,
    read_files,
    resolve,
    send,
    store,
    subscribe,
)
from airssys.security.capabilities import KINDS, Kind, read_grants
from airssys.security.patterns import HostPattern, NamePattern, normal_host

NAMES = st.sampled_from(["a", "b", "shop/a", "shop/*", "*", "*/b/0", "shop/a/0", "ab"])
KEYS = st.sampled_from(["a", "ab", "*", "a*", "a/**", "**", "*b"])
PATHS = st.sampled_from(["/data/**", "/data/*", "/etc/a", "/**", "/dat*", "/"])
TOPICS = st.sampled_from(["a.#", "a", "#", "a.*", "a.b.#", "*.b"])
HOSTS = st.sampled_from(
    ["a.b", "*.a.b", "**.b", "*", "b", "10.0.0.0/8", "0.0.0.0/0", "[::]/0", "1.2.3.4"]
)
ORIGINS = st.sampled_from(["http://a.b", "*://*.b/x", "https://a.b:1/x", "http://*"])


class Word:
    """A pattern of a program: it knows no beginning."""

    def matches(self, resource):
        return resource.endswith("z")

    def includes(self, other):
        return True


OWN = Kind(
    "own", {"do": lambda text: NamePattern.parse(text) if text != "z" else Word()}
)
grants = st.one_of(
    st.builds(send, NAMES),
    st.builds(ask, NAMES),
    st.builds(store, KEYS),
    st.builds(read_files, PATHS),
    st.builds(publish, TOPICS),
    st.builds(subscribe, TOPICS),
    st.builds(connect, HOSTS, st.sampled_from([80, "*", "1-99"])),
    st.builds(resolve, HOSTS),
    st.builds(http, ORIGINS),
    st.builds(custom, st.just("own"), st.just("do"), st.sampled_from(["a", "z", "*"])),
    st.just(everything()),
)
HOST = st.sampled_from(
    [
        "a.b",
        "A.B.",
        "x.a.b",
        "b",
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "[::1]",
        "1.2.3.4",
        "\0",
    ]
)


def of(kind, verbs, *resources):
    texts = st.one_of(*(st.just(r) if isinstance(r, str) else r for r in resources))
    return st.builds(Access, st.just(kind), st.sampled_from(verbs.split()), texts)


accesses = st.one_of(
    of("messaging", "send ask", "local/a/0", "shop/a/0", "shop/ab/1", "x/b/0", ""),
    of("storage", "write read", "", "a", "ab", "a/b", "b"),
    of("files", "read", "/data", "//data/./x", "/x/../etc/a", "/../etc", "/", "x"),
    of("messaging", "publish", "a", "a.b", "b", "a.b.c", "x.b", "ab"),
    of("messaging", "subscribe", "a", "a.b", "a.*", "#", "a.b.#", "..", "a.#"),
    of("network", "connect", st.builds("{}:{}".format, HOST, st.sampled_from([80, 7]))),
    of("network", "connect resolve", HOST),
    of("http", "request", st.builds("http://{}:80/x".format, HOST)),
    of("http", "request", "https://a.b:1/x/y", "https://a.b:1/xy", "http://", "a.b:1"),
    of("own", "do", "local/a/0", "z", "local/b/z", ""),
    of("nothing", "such", "a"),
)


@settings(max_examples=max(500, settings.default.max_examples))
@given(st.lists(grants, min_size=5, max_size=12), accesses)
def test_the_first_grant_that_allows_it_decides(found, access):
    rules, mistakes = read_grants(found, {**KINDS, "own": OWN})
    assert not mistakes
    first = next((rule for rule in rules.rules if rule.allows(access)), None)
    assert rules.deciding(access) is first
    assert rules.deciding(access) is first  # also when it is remembered how to look


LABELS = st.text("abcxyz019-_A.\u3002\u00fc", max_size=12)


@settings(max_examples=max(300, settings.default.max_examples))
@given(
    st.one_of(LABELS, st.lists(st.text("ab1", max_size=70), max_size=6).map(".".join))
)
@example("a" * 63 + ".b")
@example("a" * 64 + ".b")
@example(".".join(["a" * 63] * 3 + ["b" * 61]))
@example(".".join(["a" * 63] * 3 + ["b" * 62]))
@example("a..")
@example("a\u3002.")
def test_plain_names_of_hosts_are_what_idna_makes_of_them(host):
    """Most names are not given to IDNA, because that takes longer than the decision."""
    found = normal_host(host)
    try:
        encoded = idna.encode(
            host.removesuffix("."), uts46=True, std3_rules=True
        ).decode()
    except idna.IDNAError:
        assert found is None
        return
    labels = tuple(encoded.lower().split("."))
    assert found in {labels, None}
    if found is None:
        last = labels[-1]
        is_long = len(host) > 254
        assert is_long or not all(labels) or last.isdigit() or last.startswith("0x")


@given(HOSTS, HOST)
def test_each_host_of_a_pattern_begins_as_the_pattern_says(pattern, host):
    found = HostPattern.parse(pattern)
    if found.matches(host):
        assert found.key(host).startswith(found.beginning)


MANY = {
    "names": (lambda n: send(f"shop/n{n}"), Access("messaging", "send", "shop/n999/0")),
    "keys": (lambda n: store(f"k{n}/**"), Access("storage", "read", "k999/a/b")),
    "paths": (lambda n: read_files(f"/d{n}/*"), Access("files", "read", "/d999/a")),
    "topics": (lambda n: publish(f"t{n}.#"), Access("messaging", "publish", "t999.a")),
    "hosts": (
        lambda n: resolve(f"*.h{n}.org"),
        Access("network", "resolve", "a.h999.org"),
    ),
    "endpoints": (
        lambda n: connect(f"10.{n // 250}.{n % 250}.0/24", 80),
        Access("network", "connect", "10.3.249.7:80"),
    ),
    "origins": (
        lambda n: http(f"https://h{n}.org/v1"),
        Access("http", "request", "https://h999.org:443/v1/x"),
    ),
}


@pytest.mark.parametrize("name", MANY)
def test_a_thousand_grants_cost_hardly_more_than_ten(name):
    """Compared in one run, so it does not matter how fast the machine is."""
    grant, access = MANY[name]
    sides = [
        read_grants([grant(n) for n in numbers])[0]
        for numbers in (range(990, 1000), range(1000))
    ]
    least = [float("inf")] * 2
    for _ in range(20):
        for number, rules in enumerate(sides):
            began = time.thread_time_ns()
            for _ in range(20):
                assert rules.deciding(access) is not None
            least[number] = min(least[number], time.thread_time_ns() - began)
    assert least[1] < 5 * least[0]
