"""Among many grants the one that decides is found by the beginning of the resource."""

from hypothesis import given, settings, strategies as st

from airssys.contracts import Access
from airssys.security import ask, everything, publish, read_files, send, store
from airssys.security.capabilities import read_grants

NAMES = st.sampled_from(["a", "b", "shop/a", "shop/*", "*", "*/b/0", "shop/a/0", "ab"])
KEYS = st.sampled_from(["a", "ab", "*", "a*", "a/**", "**", "*b"])
PATHS = st.sampled_from(["/data/**", "/data/*", "/etc/a", "/**"])
grants = st.one_of(
    st.builds(send, NAMES),
    st.builds(ask, NAMES),
    st.builds(store, KEYS),
    st.builds(read_files, PATHS),
    st.builds(publish, st.sampled_from(["a.#", "a", "#", "a.*"])),
    st.just(everything()),
)
accesses = st.one_of(
    st.builds(
        Access,
        st.just("messaging"),
        st.sampled_from(["send", "ask"]),
        st.sampled_from(["local/a/0", "shop/a/0", "shop/ab/1", "x/b/0", ""]),
    ),
    st.builds(
        Access,
        st.just("storage"),
        st.just("write"),
        st.sampled_from(["", "a", "ab", "a/b", "b"]),
    ),
    st.builds(
        Access,
        st.just("files"),
        st.just("read"),
        st.sampled_from(["/data", "//data/./x", "/x/../etc/a", "/../etc"]),
    ),
    st.builds(
        Access,
        st.just("messaging"),
        st.just("publish"),
        st.sampled_from(["a", "a.b", "b"]),
    ),
)


@settings(max_examples=max(300, settings.default.max_examples))
@given(st.lists(grants, min_size=5, max_size=12), accesses)
def test_the_first_grant_that_allows_it_decides(found, access):
    rules = read_grants(found)[0]
    first = next((rule for rule in rules.rules if rule.allows(access)), None)
    assert rules.deciding(access) is first
    assert rules.deciding(access) is first  # also when it is remembered how to look
