"""A program defines kinds of grants of its own; they are decided like all others."""

import pytest

from airssys.contracts import Access, find_all_mistakes
from airssys.dsl import actor, blueprint, supervisor
from airssys.security import custom, send
from airssys.security.capabilities import KINDS, Kind, Words, define_kind, read_grants
from airssys.security.patterns import NamePattern
from airssys.security.policies import grant_mistakes


async def handle(_context, _envelope):
    return None


def is_small(access):
    return int(dict(access.details).get("sum", "0")) <= 100


TILL = define_kind(
    Kind("test-till", {"open": NamePattern.parse}, {"by": Words.parse}, check=is_small)
)


def drawer(name, **details):
    return Access("test-till", "open", name, tuple(details.items()))


def test_grants_of_such_a_kind_allow_what_pattern_limits_and_check_say():
    rules, mistakes = read_grants([custom("test-till", "open", "shop/*", by="ann,bob")])
    assert not mistakes
    assert rules.allows(drawer("shop/front/0", by="ann"))
    assert not rules.allows(drawer("shop/front/0", by="eve"))
    assert not rules.allows(drawer("bank/front/0", by="ann"))
    assert rules.allows(drawer("shop/front/0", by="bob", sum="100"))
    assert not rules.allows(drawer("shop/front/0", by="bob", sum="101"))


def test_a_definition_with_such_a_kind_is_checked_and_bounded():
    tree = blueprint(
        supervisor(
            "s",
            actor("a", handle, can=[custom("test-till", "open", "shop/*")]),
            actor(
                "b",
                handle,
                can=[custom("test-till", "close"), custom("test-tell", "x")],
            ),
            bound=[custom("test-till", "open", "shop/front"), send("*")],
        )
    )
    found = [m.found for m in find_all_mistakes(tree, grant_mistakes)]
    assert found[0].endswith("goes beyond the bound of s")
    assert "'close' is not something to grant" in found[1]
    assert "'test-tell' is not a kind of grants" in found[2]


def test_a_kind_is_defined_once():
    assert define_kind(TILL) is TILL
    with pytest.raises(ValueError, match="another kind of grants called 'messaging'"):
        define_kind(Kind("messaging", {"send": Words.parse}))
    with pytest.raises(TypeError):
        KINDS["x"] = TILL


@pytest.mark.parametrize(
    "kind",
    [
        Kind("Test", {"x": Words.parse}),
        Kind("test x", {"x": Words.parse}),
        Kind("test-x", {}),
        Kind("test-x", {"*": Words.parse}),
    ],
    ids=lambda kind: kind.name,
)
def test_a_kind_has_plain_words(kind):
    with pytest.raises(ValueError, match=r"not a word|nothing that can be granted"):
        define_kind(kind)
    assert kind.name not in KINDS
