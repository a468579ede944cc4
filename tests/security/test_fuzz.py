"""Any bytes may come as a manifest, as patterns, and across the host boundary.

Here they are drawn by Hypothesis, without a guide. `make fuzz` draws many more, with
coverage as its guide (`.ci/fuzz.py`). OWASP A03 Injection, CWE-20.
"""

import pytest
from hypothesis import given, settings, strategies as st

from fuzz_targets import FUNCTIONS, TARGETS, VERBS, boundary, manifest, patterns

TOML = [
    b'[package]\nname = "',
    b"[capabilities]\nsend = [",
    b'"*"',
    b"]\n",
    b'"""',
    b"'",
]
WORDS = [
    b"*",
    b"**",
    b"#",
    b"/",
    b".",
    b"..",
    b"a",
    b":",
    b"443",
    b"\n",
    b"[::]",
    b"%2e",
]


def bytes_of(pieces, most=12):
    return st.lists(st.sampled_from(pieces) | st.binary(max_size=9), max_size=most).map(
        b"".join
    )


@settings(max_examples=max(150, settings.default.max_examples))
@given(bytes_of(TOML))
def test_manifests(data):
    manifest(data)


@settings(max_examples=max(400, settings.default.max_examples))
@given(st.integers(0, len(VERBS) - 1), bytes_of(WORDS))
def test_patterns(verb, data):
    patterns(bytes([verb]) + data)


CALLS = st.builds(
    lambda function, rest: bytes([function]) + rest,
    st.integers(0, len(FUNCTIONS) - 1),
    bytes_of([*WORDS, b"local/b/0"], 8).filter(lambda data: b"\0\0" not in data),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(CALLS, min_size=5, max_size=20).map(b"\0\0".join))
def test_the_host_boundary(data):
    boundary(data)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_at_all(name):
    TARGETS[name](b"")
