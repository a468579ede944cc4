"""Attacks on what is in progress: a grant goes while something goes on under it.

Each test has two things at once. A01 Broken access control, CWE-362 and CWE-367 (a check
and a use that something comes between), unless it names another.
"""

import time
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from airssys import (
    ComponentId,
    NotGranted,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    supervisor,
)
from airssys.contracts import ERROR_TYPE, Access, Artifact, Logged
from airssys.security import (
    ask,
    broadcast,
    clock,
    everything,
    publish,
    read_files,
    request,
    send,
    store,
    subscribe,
)
from airssys.security.authority import Authorities
from airssys.security.capabilities import read_grants
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


def call(*lines):
    return "\n".join(lines).encode()


async def forever(_context, _envelope):
    await trio.sleep_forever()


class Caller:
    """Does one thing, and keeps how it ended."""

    def __init__(self, act, ends):
        self.act, self.ends = act, ends

    async def handle(self, context, _envelope):
        try:
            self.ends.append(await self.act(context))
        except NotGranted as error:
            self.ends.append(error)


async def fill(system, name):
    """Put messages into a mailbox until it is full: one is being handled."""
    for _ in range(3):
        system.tell(name, b"x")
        await wait_until_idle()


WAITING = [
    ("send", [send("b")], lambda c: c.send("b", b"late", priority="high"), send("b")),
    ("ask", [ask("b")], lambda c: c.ask("b", b"late", timeout=60), ask("*")),
    (
        "broadcast",
        [broadcast("b"), broadcast("c")],
        lambda c: c.broadcast(["c", "b"], b"late"),
        broadcast("b"),
    ),
]


@pytest.mark.parametrize(
    ("grants", "act", "revoked"), [w[1:] for w in WAITING], ids=[w[0] for w in WAITING]
)
async def test_a_message_that_waits_for_room_goes_with_its_grant(
    grants, act, revoked, autojump_clock
):
    ends, taken = [], []

    async def take(_context, envelope):
        taken.append(envelope.payload)

    tree = blueprint(
        actor("a", Caller, act, ends, can=grants),
        actor("b", forever, mailbox=2),
        actor("c", take),
    )
    async with open_system(tree) as system:
        await fill(system, "b")
        system.tell("a", b"")
        await wait_until_idle()
        assert ends == []
        assert system.grants("a").revoke(revoked) == 1
        await wait_until_idle()
        assert [type(end) for end in ends] == [NotGranted]
        assert "revoked" in str(ends[0])
        # The others go on, and nothing that is left holds it up.
        await system.ask("c", b"after")
    assert taken[-1] == b"after"


async def test_an_open_request_is_cancelled_and_says_so():
    tree = blueprint(component("a", CALLS, can=[request("b")]), actor("b", forever))
    async with open_system(tree) as system:
        with system.events() as events:
            asked = call("host-messaging.request", "local/b/0", "x", "60000")
            assert (await system.ask("a", asked)).startswith(b"ok:")
            assert system.grants("a").revoke(request("b")) == 1
            async for event in events:
                if isinstance(event, Logged):
                    break
        assert ERROR_TYPE in event.message
        assert "cancelled" in event.message
        assert (await system.ask("a", asked)).startswith(b"err:")
        assert not system.grants("a")._authority._holds


async def test_what_is_narrowed_between_two_calls_is_refused_at_the_second():
    """The decision was remembered by the first: CWE-613."""
    tree = blueprint(
        component("a", CALLS, can=[store("**"), publish("#")]), actor("b", forever)
    )
    async with open_system(tree) as system:
        for _ in range(3):
            assert await system.ask("a", call("storage.get", "k")) == b"ok"
        system.grants("a").narrow(publish("#"))
        assert (await system.ask("a", call("storage.get", "k"))).startswith(b"err")
        published = await system.ask("a", call("host-messaging.publish", "t", "x"))
        assert published == b"ok"


async def test_a_grant_goes_while_the_asked_actor_answers_in_the_askers_step():
    """The actor that is asked takes the grant away before it answers: CWE-367."""
    tree_of = {}

    async def revoking(_context, _envelope):
        tree_of["system"].grants("a").revoke(ask("b"))
        return b"answer"

    tree = blueprint(component("a", CALLS, can=[ask("b")]), actor("b", revoking))
    async with open_system(tree) as system:
        tree_of["system"] = system
        asked = call("host-messaging.ask", "local/b/0", "x", "5000")
        first = await system.ask("a", asked)
        assert first == b"ok:answer" or first.startswith(b"err:delivery-failed")
        assert (await system.ask("a", asked)).startswith(b"err:delivery-failed")


async def test_an_actor_that_asks_itself_or_its_asker_gains_nothing():
    """A04 Insecure design, CWE-674 and CWE-833: re-entry is refused at once."""
    to_a = call("host-messaging.ask", "local/a/0", "x", "5000")
    tree = blueprint(component("a", CALLS, can=everything()))
    async with open_system(tree) as system:
        assert (await system.ask("a", to_a)).startswith(b"err:delivery-failed")
        assert await system.ask("a", call("host-messaging.self-id")) == b"ok:local/a/0"


async def test_what_was_lent_ends_with_the_lender(autojump_clock):
    """CWE-613: its grant, its time, its name; and never is it lent on."""
    tree = blueprint(
        actor("lender", forever, can=[ask("b")]),
        actor("x", forever, can=[]),
        actor("y", forever, can=[]),
    )
    name = "messaging", "ask", "local/b/0"
    async with open_system(tree) as system:
        root, lender, x = (
            system.supervisor("root"),
            system.grants("lender"),
            system.grants("x"),
        )
        lender.lend("x", ask("b"))
        assert x.allows(*name)
        with pytest.raises(NotGranted):
            x.lend("y", ask("b"))
        with pytest.raises(NotGranted):
            lender.lend("lender", ask("b"))
        await root.terminate_child("local/lender/0")
        await root.delete_child("local/lender/0")
        assert not x.allows(*name)
        # Another actor of that name has never lent anything.
        await root.start_child(actor("lender", forever, can=[ask("b")]))
        assert not x.allows(*name)
        lender = system.grants("lender")
        lender.extend(ask("c"), seconds=5)
        lender.lend("x", ask("c"))
        assert x.allows("messaging", "ask", "local/c/0")
        await trio.sleep(5)
        assert not x.allows("messaging", "ask", "local/c/0")


async def test_two_may_lend_to_each_other():
    """CWE-674: a change of one does not go around for ever."""
    tree = blueprint(
        actor("x", forever, can=[ask("b")]), actor("y", forever, can=[ask("b")])
    )
    async with open_system(tree) as system:
        x, y = system.grants("x"), system.grants("y")
        x.lend("y", ask("b"))
        y.lend("x", ask("b"))
        y.revoke(ask("*"))
        assert not y.allows("messaging", "ask", "local/b/0")
        assert x.allows("messaging", "ask", "local/b/0")
        x.revoke(ask("*"))
        assert not x.allows("messaging", "ask", "local/b/0")


async def test_a_grant_goes_while_code_is_replaced():
    """CWE-367: what was taken meanwhile stays so under the new code."""
    tree = blueprint(component("a", CALLS, can=[store("**")]))
    async with open_system(tree) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.replace, "a", CALLS)
            await trio.lowlevel.checkpoint()
            system.grants("a").revoke(store("k"))
        assert (await system.ask("a", call("storage.get", "k"))).startswith(b"err")
        assert await system.ask("a", call("storage.get", "j")) == b"ok"


@pytest.mark.parametrize("steps", range(2, 40, 3))
async def test_a_replacement_with_new_grants_undoes_no_later_revocation(steps):
    """CWE-367: the new grants were written down before it, whenever it comes."""
    tree = blueprint(component("a", CALLS, can=[store("k")]))
    async with open_system(tree) as system:
        system.grants("a").revoke(store("k"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(system.replace, "a", CALLS, can=[store("**")]))
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            system.grants("a").revoke(store("j"))
        assert await system.ask("a", call("storage.get", "k")) == b"ok"
        assert (await system.ask("a", call("storage.get", "j"))).startswith(b"err")


async def test_a_sender_that_waits_for_its_quota_gives_its_turn_back_with_its_grant(
    autojump_clock,
):
    """CWE-362: who is next in the line of a shared sum gets it."""
    ends, taken = [], []

    async def take(_context, envelope):
        taken.append((envelope.payload, trio.current_time()))

    async def send_it(context, envelope):
        try:
            await context.send("b", envelope.payload)
        except NotGranted as error:
            ends.append(error)

    tree = blueprint(
        supervisor(
            "s",
            actor("first", send_it, can=[send("b")]),
            actor("second", send_it, can=[send("b")]),
            quotas={"messages_per_second": {"limit": 1, "burst": 1}},
        ),
        actor("b", take),
    )
    async with open_system(tree) as system:
        began = trio.current_time()
        for name in ("first", "second", "first"):
            system.tell(name, name.encode())
            await wait_until_idle()
        assert system.grants("first").revoke(send("b")) == 1
        await trio.sleep(10)
        assert len(ends) == 1
        assert [payload for payload, _ in taken] == [b"first", b"second"]
        assert taken[1][1] - began <= 2
        assert system.usage("root/s")["messages_per_second"][0] == 0


async def test_what_is_lent_to_a_child_of_a_template_ends_by_time_and_stays_in_its_bound(
    autojump_clock,
):
    """CWE-269 and CWE-613: three ways to hold something, and the narrowest one counts."""
    template = dynamic_supervisor(
        "many", actor("m", forever, can=[]), bound=[ask("b"), send("c")]
    )
    tree = blueprint(template, actor("lender", forever, can=[ask("*"), send("*")]))
    async with open_system(tree) as system:
        children, lender = system.supervisor("root/many"), system.grants("lender")
        child = (await children.start_from_template()).child
        held = system.grants(child)
        with pytest.raises(NotGranted):
            lender.lend(child, ask("*"))
        lender.lend(child, ask("b"), seconds=5)
        lender.lend(child, send("c"), seconds=50)
        asks, sends = (
            ("messaging", "ask", "local/b/0"),
            ("messaging", "send", "local/c/0"),
        )
        assert (held.allows(*asks), held.allows(*sends)) == (True, True)
        with pytest.raises(NotGranted):
            held.lend("lender", ask("b"))
        await children.restart_child(child)
        await trio.sleep(5)
        assert (held.allows(*asks), held.allows(*sends)) == (False, True)
        lender.narrow(ask("*"))
        assert not held.allows(*sends)
        other = (await children.start_from_template()).child
        assert not system.grants(other).allows(*asks)


# -- what costs the host: A04 Insecure design, CWE-400, CWE-407, CWE-1333


def rules(*grants):
    found, mistakes = read_grants(grants)
    assert not mistakes
    return found


def seconds_of(function):
    took = []
    for _ in range(5):
        began = time.thread_time()
        function()
        took.append(time.thread_time() - began)
    return min(took)


@pytest.mark.parametrize(
    "pattern", ["**a**b" * 7, "*a" * 15, "a" * 2000 + "*b", "**" + "ab*" * 14]
)
def test_matching_grows_with_the_text_and_not_with_the_pattern_of_it(pattern):
    """CWE-1333: four times the text takes about four times as long."""
    held = rules(store(pattern))

    def match(size):
        text = "a" * size if pattern[0] != "a" else "a" * 2000 + "c" * (size - 2000)
        return lambda: held.allows(Access("storage", "read", text))

    short, long = seconds_of(match(1000)), seconds_of(match(4000))
    assert long < 12 * short + 0.001


@pytest.mark.parametrize(
    "access",
    [
        Access("storage", "read", "k" * 1_000_000),
        Access("messaging", "publish", "a." * 500_000),
        Access("messaging", "subscribe", "a." * 500_000),
        Access("network", "connect", "a." * 500_000 + "com:443"),
        Access("files", "read", "/k" * 500_000),
        Access("messaging", "send", "a/" * 500_000),
    ],
    ids=lambda access: access.verb,
)
def test_a_huge_resource_is_denied_at_once_and_kept_short(access):
    events = []
    register = Authorities(events.append, lambda: 0.0)
    spec = actor(
        "a",
        forever,
        can=[
            store("k/*"),
            publish("b.#"),
            subscribe("b.#"),
            read_files("/a/**"),
            clock(1),
        ],
    )
    authority = register.open(spec, ())

    def attempt():
        with pytest.raises(NotGranted):
            authority.check(access.kind, access.verb, access.resource)

    small = seconds_of(lambda: sum(i * i for i in range(80_000)))  # about a tick
    assert seconds_of(attempt) < 4 * small
    assert all(len(event.access.resource) <= 513 for event in events)
    assert all(len(event.why) < 400 for event in events)


@pytest.mark.slow
def test_ten_thousand_accesses_under_a_thousand_grants_keep_little():
    """CWE-770: decisions and denials are remembered in bounded number."""
    warned = []
    register = Authorities(warned.append, lambda: 0.0)
    spec = actor("a", forever, can=[send(f"shop/n{n}") for n in range(1000)])
    authority = register.open(spec, ())
    for number in range(10_000):
        name = f"shop/n{number % 1000}/{number}"
        authority.check("messaging", "send", name)
        if number % 5 == 0:
            with pytest.raises(NotGranted):
                authority.check(
                    "messaging", "send", f"{'x' * 128}/{'y' * 128}/{number}"
                )
    assert len(authority.memo("messaging", "send")) <= 1024
    assert len(authority._denials) <= 1024
    # Only a bounded number of them are new enough to be warnings in the log.
    assert sum(event.times == 1 for event in warned) <= 1024


async def test_a_flood_of_denied_calls_does_not_keep_others_from_work():
    """CWE-400: a broadcast to many that are denied, while another actor is asked."""
    beats = []

    async def beat(_context, _envelope):
        beats.append(1)
        return b"here"

    async def flood(context, _envelope):
        targets = [ComponentId("x", f"n{number}") for number in range(3000)]
        outcomes = await context.broadcast(targets, b"x")
        assert {type(error) for error in outcomes.values()} == {NotGranted}
        return b"done"

    tree = blueprint(actor("evil", flood, can=[broadcast("b")]), actor("b", beat))
    async with open_system(tree) as system:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.ask, "evil", b"")
            await trio.lowlevel.checkpoint()
            while not beats:
                assert await system.ask("b", b"") == b"here"
        assert await system.ask("evil", b"") == b"done"
