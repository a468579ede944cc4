"""What a blueprint lets its actors do, asked without running it."""

import itertools

import pytest
from hypothesis import given, settings, strategies as st

from airssys import actor, blueprint, open_system, security
from airssys.contracts import Access, Grant
from airssys.security import (
    ask,
    broadcast,
    clock,
    connect,
    delete_files,
    env,
    everything,
    http,
    list_files,
    log,
    publish,
    random,
    read_files,
    read_store,
    request,
    resolve,
    run_command,
    see,
    send,
    store,
    subscribe,
    write_files,
)
from airssys.security.capabilities import read_grants
from airssys.security.policies import meets, narrowest, read_question, who_can, word_of
from airssys.testing import assert_can_reach, assert_cannot_reach


async def work(_context, _envelope):
    pass


APP = blueprint(
    actor("plain", work),
    actor("none", work, can=[]),
    actor(
        "net",
        work,
        can=[connect("*.example.com", "8000-8100"), http("https://a.com/v1")],
    ),
    actor("keys", work, can=[store("cart/*"), read_files("/etc/*"), publish("a.#")]),
)


@pytest.mark.parametrize(
    ("name", "question", "can"),
    [
        ("plain", "write /data", True),
        ("none", "write /data", False),
        ("net", "connect x.example.com:8050", True),
        ("net", "connect x.example.com:8090-9000", True),
        ("net", "connect x.example.com:80", False),
        ("net", "connect example.com:8050", False),
        ("net", "http request https://a.com/v1/x", True),
        ("net", "http request https://b.com/", False),
        ("keys", "storage write cart/1", True),
        ("keys", "storage write **", True),
        ("keys", "storage write order/1", False),
        ("keys", "files read /etc/**", True),
        ("keys", "write /etc/passwd", False),
        ("keys", "publish a.b.c", True),
        ("keys", "publish *.b", True),
        ("keys", "publish b.#", False),
    ],
)
def test_what_can_be_reached(name, question, can):
    if can:
        assert_can_reach(APP, name, question)
        with pytest.raises(AssertionError, match="can reach"):
            assert_cannot_reach(APP, name, question)
    else:
        assert_cannot_reach(APP, name, question)
        with pytest.raises(AssertionError, match="no grant allows it"):
            assert_can_reach(APP, name, question)


def test_a_failure_names_the_grant_and_where_it_stands():
    with pytest.raises(AssertionError) as caught:
        assert_cannot_reach(APP, "keys", "storage write **")
    text = str(caught.value)
    assert "by storage write cart/*" in text
    assert "test_policy.py:" in text or "$.root.children[3].can" in text


@pytest.mark.parametrize("question", ["", "fly away", "files fly /a", "connect x"])
def test_questions_that_are_not_valid(question):
    with pytest.raises(ValueError, match=r"verb|resource"):
        who_can(APP, question)
    with pytest.raises(ValueError, match="there is no actor"):
        assert_cannot_reach(APP, "nobody", "send a")


def test_a_verb_without_a_kind_stands_for_each_kind_that_has_it():
    kinds = {rule.kind for rule in read_question("write /data/x").rules}
    assert kinds >= {"files", "storage"}
    assert {rule.kind for rule in read_question("files write /data/x").rules} == {
        "files"
    }


ONE_OF_EACH = [
    send("team/a/0"),
    publish("x.y"),
    subscribe("x.y"),
    see("team/a/0"),
    store("a/b"),
    write_files("/data/a"),
    connect("10.0.0.1", 80),
    resolve("a.example.com"),
    http("https://a.example.com:8443/v1"),
    clock(5),
    random(),
    env("HOME"),
    log("error"),
    run_command("/bin/ls"),
]


@pytest.mark.parametrize("grant", ONE_OF_EACH, ids=lambda grant: grant.kind)
def test_a_verb_without_a_resource_asks_for_any(grant):
    app = blueprint(actor("a", work, can=[grant]))
    for verb in grant.verbs:
        assert who_can(app, f"{grant.kind} {verb}")
        with pytest.raises(AssertionError):
            assert_cannot_reach(app, "a", f"{grant.kind} {verb}")
    other = send("x") if grant.kind != "messaging" else store("x")
    if grant.kind != "log":  # lines are free until they are named
        app = blueprint(actor("a", work, can=[other]))
        assert_cannot_reach(app, "a", f"{grant.kind} {grant.verbs[0]}")


NAMES = st.sampled_from(["a", "shop/a", "shop/*", "*", "shop/a/0", "x/b/1"])
KEYS = st.text(st.sampled_from("ab/*"), min_size=1, max_size=5).filter(
    lambda text: "***" not in text
)


@settings(max_examples=200)
@given(NAMES, NAMES, st.sampled_from(["local/a/0", "shop/a/0", "shop/b/1", "x/b/1"]))
def test_names_that_both_match_mean_that_they_meet(one, other, name):
    [mine], [theirs] = (read_grants([send(each)])[0].rules for each in (one, other))
    if mine.resource.matches(name) and theirs.resource.matches(name):
        assert meets(mine, theirs)
        assert meets(theirs, mine)


@settings(max_examples=200)
@given(KEYS, KEYS, st.text(st.sampled_from("ab/"), max_size=4))
def test_keys_that_both_match_mean_that_they_meet(one, other, key):
    grants = [Grant("storage", ("read",), each) for each in (one, other)]
    [mine], [theirs] = (read_grants([grant])[0].rules for grant in grants)
    if mine.resource.matches(key) and theirs.resource.matches(key):
        assert meets(mine, theirs)


def test_bounds_above_are_named():
    from airssys import supervisor as make

    app = blueprint(
        make(
            "shop",
            actor("shop/orders/0", work, can=[write_files("/data/orders/*")]),
            actor("free", work),
            bound=[write_files("/data/**")],
        )
    )
    [orders, free] = who_can(app, "files write /data/orders/1")
    assert orders.bounds == ("bound of shop: files write /data/**",)
    assert "by files write /data/orders/*" in str(orders)
    assert free.rule == "having no can="
    assert who_can(app, "files write /etc/x") == []


def test_the_narrowest_grants():
    def done(*accesses):
        return [
            word_of(g) for g in narrowest((Access(*a), send("p/*")) for a in accesses)
        ]

    assert done(("messaging", "send", "local/a/0")) == ['send("local/a/0")']
    assert done(
        ("storage", "read", "k"), ("storage", "write", "k"), ("storage", "delete", "k")
    ) == ['store("k")']
    assert done(("storage", "write", "k")) == ["""Grant("storage", ('write',), "k")"""]
    many = [("messaging", "send", f"local/n{n}/0") for n in range(30)]
    assert done(*many) == ['send("p/*")']
    assert done() == []
    assert word_of(Grant("*", ("*",))) == "everything()"
    assert word_of(see("a")) == 'see("a")'
    assert word_of(subscribe("a.#")) == 'subscribe("a.#")'


def used(grant, *accesses):
    """What would have sufficed for accesses that one grant allowed."""
    found = narrowest((Access(*access), grant) for access in accesses)
    assert not read_grants(found)[1]
    rules = read_grants(found)[0]
    assert all(rules.allows(Access(*access, grant.limits)) for access in accesses)
    return found


@pytest.mark.parametrize(
    ("grant", "resources", "words"),
    [
        (read_files("/d/**", at="/srv"), ["/d/a"], """Grant("files", ('read',), "/d/a", (('at', '/srv'),))"""),
        (http("http://a.example", methods="GET"), ["http://a.example:80/x"], 'http("http://a.example:80/x", methods="GET")'),
        (send("p/*"), [f"p/n{n}/0" for n in range(20)], ", ".join(sorted(f'send("p/n{n}/0")' for n in range(20)))),
        (send("p/*"), [f"p/n{n}/0" for n in range(21)], 'send("p/*")'),
        (everything(), [f"p/n{n}/0" for n in range(21)], 'send("*")'),
        (everything(), ["p/n/0"], 'send("p/n/0")'),
    ],
)  # fmt: skip
def test_what_would_have_sufficed_is_within_what_was_granted(grant, resources, words):
    verbs = grant.verbs if grant != everything() else ("send",)
    kind = grant.kind if grant != everything() else "messaging"
    found = used(grant, *[(kind, verbs[0], each) for each in resources])
    assert ", ".join(map(word_of, found)) == words
    held, sufficed = read_grants([grant])[0], read_grants(found)[0]
    assert sufficed.beyond(held) == ()


def test_the_narrowest_grants_are_listed_by_kind_resource_and_limits():
    """Whatever was done first."""
    grants = [
        http("http://a.example:80/b", methods="GET"),
        http("http://a.example:80/b", methods="POST"),
        http("http://a.example:80/c", methods="GET"),
        send("a/a/0"),
    ]
    done = [(Access(g.kind, g.verbs[0], g.resource), g) for g in grants]
    for each in itertools.permutations(done):
        assert list(narrowest(each)) == grants


def test_another_object_that_grants_everything_does_not_become_the_pattern():
    made = Grant("*", ("*",))
    many = [("storage", "read", f"k{n}") for n in range(21)]
    [found] = used(made, *many)
    assert found == Grant("storage", ("read",), "**")


@pytest.mark.parametrize(
    ("kind", "verb", "pattern"),
    [
        ("messaging", "send", "*"),
        ("messaging", "publish", "#"),
        ("messaging", "subscribe", "#"),
        ("storage", "write", "**"),
        ("files", "list", "/**"),
        ("environment", "read", "*"),
    ],
)
def test_what_everything_allowed_too_much_of_is_all_of_its_kind(kind, verb, pattern):
    many = [f"/k{n}" if kind == "files" else f"k{n}" for n in range(21)]
    if verb == "send":
        many = [f"local/{each}/0" for each in many]
    found = used(everything(), *[(kind, verb, each) for each in many])
    assert found == (Grant(kind, (verb,), pattern),)


def test_a_wildcard_that_was_reached_is_not_granted():
    found = used(send("a/*"), ("messaging", "send", "a/b*/0"))
    assert found == (send("a/*"),)


@pytest.mark.parametrize(
    "grant",
    [
        *(send("a"), ask("a"), request("a"), broadcast("a"), publish("a"), see("a")),
        *(subscribe("a"), store("a"), read_store("a"), read_files("/a"), log("warn")),
        *(write_files("/a"), delete_files("/a"), list_files("/a"), resolve("a.b")),
        *(http("http://a"), run_command("/a"), everything()),
        *(read_files("/a", at="/b"), http("http://a", methods="GET")),
        *(send("a/*"), connect("a.b", 443), env("A"), Grant("*", ("*",))),
    ],
    ids=str,
)
def test_a_grant_is_written_by_the_words_that_make_it(grant):
    words = vars(security) | {"Grant": Grant}
    assert eval(word_of(grant), {}, words) == grant


@pytest.mark.parametrize(
    "word",
    [
        *(
            "send",
            "ask",
            "request",
            "broadcast",
            "publish",
            "subscribe",
            "see",
            "store",
        ),
        *("read_store", "read_files", "write_files", "delete_files", "list_files"),
        *("resolve", "http", "log", "run_command"),
    ],
)
def test_a_grant_has_its_own_word(word):
    resource = {"http": "http://a", "log": "warn"}.get(word, "/a")
    assert word_of(getattr(security, word)(resource)) == f'{word}("{resource}")'


async def cart(context, envelope):
    context.tell("stock", b"")


async def test_a_running_system_knows_what_was_used():
    app = blueprint(
        actor("cart", cart, can=[send("*"), ask("stock")]), actor("stock", work)
    )
    async with open_system(app) as system:
        await system.ask("cart", b"")
        grants = system.grants("cart")
        assert grants.used == (send("*"),)
        assert grants.unused == (ask("stock"),)
        assert grants.narrowest == (send("local/stock/0"),)
        grants.revoke(ask("stock"))  # what was used is still known
        assert grants.used == (send("*"),)
