"""Real guests and Python actors pass the gates: what is not granted is not done."""

import re

import pytest
import trio
from trio.testing import MockClock

from airssys import (
    AccessDenied,
    ActorSpec,
    CalleeFailed,
    ChildStarted,
    ComponentId,
    DefinitionError,
    EventStream,
    GrantsChanged,
    NotGranted,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    pool,
    supervisor,
)
from airssys.contracts import Artifact
from airssys.security import (
    ask,
    broadcast,
    clock,
    everything,
    publish,
    request,
    see,
    send,
    store,
    subscribe,
)
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

CALLS = Artifact.at(GUESTS / "calls.wat")
ECHO = Artifact.at(GUESTS / "echo.wat")
STREAMS = (EventStream,)


async def sink(_context, envelope):
    if envelope.payload == b"slow":
        await trio.sleep(10)
    return b"taken"


def denied(events):
    found = []
    while True:
        try:
            event = events.next_nowait()
        except trio.WouldBlock:
            return found
        if isinstance(event, AccessDenied):
            found.append(f"{event.access.verb} {event.access.resource}")


CALLS_AND_GRANTS = [
    ("host-messaging.send\nlocal/b/0\nx", send("b"), "send local/b/0"),
    ("host-messaging.ask\nlocal/b/0\nx\n5000", ask("b"), "ask local/b/0"),
    ("host-messaging.request\nlocal/b/0\nx\n5000", request("b"), "request local/b/0"),
    ("host-messaging.publish\nnews\nx", publish("news"), "publish news"),
    ("host-messaging.subscribe\nnews", subscribe("news"), "subscribe news"),
    (
        "host-messaging.broadcast\nlocal/b/0\nx\nlocal/b/0",
        broadcast("b"),
        "broadcast local/b/0",
    ),
    ("storage.get\nk", store("k"), "read k"),
    ("storage.set\nk\nv", store("k"), "write k"),
    ("storage.exists\nk", store("k"), "read k"),
]


@pytest.mark.parametrize(
    ("call", "grant", "what"), CALLS_AND_GRANTS, ids=[c[2] for c in CALLS_AND_GRANTS]
)
async def test_a_call_is_refused_without_its_grant_and_done_with_it(call, grant, what):
    others = [each for _, each, _ in CALLS_AND_GRANTS if each != grant]
    tree = blueprint(
        component("none", CALLS),
        component("others", CALLS, can=others),
        component("one", CALLS, can=[grant]),
        component("all", CALLS, can=everything()),
        actor("b", sink),
    )
    async with open_system(tree) as system:
        with system.events() as events:
            for name in ("none", "others"):
                answer = await system.ask(name, call.encode())
                assert answer.startswith(b"err:"), (name, answer)
            assert denied(events) == [what, what]
            for name in ("one", "all"):
                answer = await system.ask(name, call.encode())
                assert answer.startswith(b"ok"), (name, answer)
            assert denied(events) == []


async def test_what_a_guest_may_see_and_know():
    tree = blueprint(
        component("none", CALLS),
        component("some", CALLS, can=[see("b"), clock(2)]),
        component("all", CALLS, can=everything()),
        actor("b", sink),
    )
    listing, time = b"host-services.list-components", b"host-services.current-time"
    options = {"wall_clock": lambda: 5_000_000_007}
    async with open_system(tree, **options) as system:
        assert await system.ask("none", listing) == b"ok:local/none/0"
        assert await system.ask("some", listing) == b"ok:local/b/0,local/some/0"
        assert await system.ask("none", time) == b"ok:0 0"
        assert await system.ask("some", time) == b"ok:4 0"
        assert await system.ask("all", time) == b"ok:5 7"
        lookup = b"host-services.get-component-metadata\nlocal/b/0"
        assert (await system.ask("none", lookup)).startswith(b"err:invalid-state")
        assert (await system.ask("some", lookup)).startswith(b"ok:local/b/0")


KINDS = ["guest", "python"]


async def relay(context, envelope):
    """Do in Python what the guest `calls` does for the tests below."""
    verb, target, data = envelope.payload.split(b"\n")
    try:
        if verb.endswith(b"ask"):
            return b"ok:" + await context.ask(target.decode(), data, timeout=60)
        await context.send(target.decode(), data)
    except NotGranted as error:
        return b"err:" + str(error).encode()
    return b"ok"


def restricted(kind, *grants, name="a"):
    if kind == "guest":
        return component(name, CALLS, can=grants, limits={"execution_time": 60})
    return actor(name, relay, can=grants)


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


@pytest.mark.parametrize("kind", ["python"])
async def test_revoking_cancels_what_is_in_flight(kind, autojump_clock):
    tree = blueprint(restricted(kind, ask("b")), actor("b", sink))
    async with open_system(tree) as system:
        answers = []

        async def asking():
            answers.append(await system.ask("a", b"ask\nb\nslow", timeout=60))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking)
            await trio.sleep(1)
            assert system.grants("a").revoke(ask("*")) == 1
        assert answers[0].startswith(b"err:")
        assert trio.current_time() < 9
        again = await system.ask("a", b"ask\nb\nx")
        assert again.startswith(b"err:")
        system.grants("a").extend(ask("b"))
        assert await system.ask("a", b"ask\nb\nx") == b"ok:taken"


async def test_a_guest_that_waits_is_cancelled_when_its_grant_goes():
    tree = blueprint(component("a", CALLS, can=[ask("b")]), actor("b", sink))
    async with open_system(tree) as system:
        answers = []

        async def asking():
            answers.append(
                await system.ask("a", b"host-messaging.ask\nlocal/b/0\nslow\n60000")
            )

        async with trio.open_nursery() as nursery:
            nursery.start_soon(asking)
            # The guest runs in its own time.
            while system.grants("a").revoke(ask("*")) == 0:  # noqa: ASYNC110
                system.grants("a").extend(ask("b"))
                await trio.sleep(0.01)
        assert answers[0].startswith(b"err:delivery-failed")
        assert b"revoked" in answers[0]


@pytest.mark.parametrize("kind", ["python"])
async def test_a_grant_expires_for_what_is_in_flight_too(kind, autojump_clock):
    tree = blueprint(restricted(kind), actor("b", sink))
    async with open_system(tree) as system:
        system.grants("a").extend(ask("b"), seconds=2)
        began = trio.current_time()
        answer = await system.ask("a", b"ask\nb\nslow", timeout=60)
        assert answer.startswith(b"err:")
        assert trio.current_time() - began == pytest.approx(2)


async def test_a_subscription_ends_with_its_grant():
    got = []

    class Listener:
        async def started(self, context):
            context.subscribe("news.*")

        async def handle(self, context, envelope):
            got.append(envelope.payload)

    tree = blueprint(actor("a", Listener, can=[subscribe("news.#")]))
    async with open_system(tree) as system:
        await system.publish("news.fr", b"1")
        await system.ask("a", b"asked")
        assert system.grants("a").revoke(subscribe("news.fr")) == 1
        await system.publish("news.fr", b"2")
        await system.ask("a", b"asked again")
    assert got == [b"1", b"asked", b"asked again"]


async def test_a_broadcast_reaches_those_that_are_granted():
    results = []

    async def caller(context, _envelope):
        results.append(await context.broadcast(["b", "c"], b"x"))

    tree = blueprint(
        actor("a", caller, can=[broadcast("b")]), actor("b", sink), actor("c", sink)
    )
    async with open_system(tree) as system:
        await system.ask("a", b"")
    [result] = results
    assert result[ComponentId("local", "b")] is None
    assert isinstance(result[ComponentId("local", "c")], NotGranted)


async def test_cuts_outlive_restarts_of_the_actor_and_of_its_supervisor():
    async def tell_or_crash(context, envelope):
        if envelope.payload == b"crash":
            raise RuntimeError("asked to")
        context.tell("b", b"x")

    inner = supervisor(
        "inner", actor("a", tell_or_crash, can=[send("b")]), restarts=1, period=1000
    )
    tree = blueprint(inner, actor("b", sink), restarts=10)
    async with open_system(tree) as system:
        await system.ask("a", b"")
        system.grants("a").revoke(send("b"))
        with system.events() as events:
            for restarted in ("local/a/0", "inner"):  # gives up at the second crash
                system.tell("a", b"crash")
                async for event in events:
                    if isinstance(event, ChildStarted) and event.child == restarted:
                        break
                assert not system.grants("a").allows("messaging", "send", "local/b/0")
        with pytest.raises(CalleeFailed, match="revoked"):
            await system.ask("a", b"")


def test_a_definition_that_exceeds_its_bounds_is_refused_with_all_its_mistakes():
    from airssys.contracts import find_all_mistakes
    from airssys.security.policies import grant_mistakes

    tree = blueprint(
        supervisor(
            "shop",
            component("a", ECHO, can=[send("*"), store("cart/*")]),
            supervisor(
                "deeper", actor("p", sink, can=[ask("x/y/z/w")]), bound=[ask("*")]
            ),
            component("t", ECHO, can=send("shop/*"), topics=["orders"]),
            dynamic_supervisor("late", component("d", ECHO, can=[publish("#")])),
            bound=[send("shop/*"), store("**")],
        )
    )
    mistakes = find_all_mistakes(tree, grant_mistakes)
    assert [(m.path, m.found) for m in mistakes] == [
        ("$.root.children[0].children[0].can", "messaging send * goes beyond the bound of shop"),
        ("$.root.children[0].children[1].bound", "messaging ask * goes beyond the bound of shop"),
        ("$.root.children[0].children[1].children[0].can[0]", mistakes[2].found),
        ("$.root.children[0].children[2].topics", "it is subscribed to 'orders', which it is not granted"),
        ("$.root.children[0].children[3].template.can", "messaging publish # goes beyond the bound of shop"),
    ]  # fmt: skip
    assert all(m.file == __file__ and m.line for m in mistakes)
    with pytest.raises(DefinitionError):
        open_system(tree)


async def test_changes_are_reported():
    tree = blueprint(actor("a", sink, can=[send("b")]))
    async with open_system(tree) as system:
        with system.events() as events:
            system.grants("a").narrow()
            event = events.next_nowait()
    assert event == GrantsChanged(ComponentId("local", "a"), "narrowed to nothing", 0)


async def test_grants_are_shown_in_a_line(autojump_clock):
    tree = supervisor(
        "s",
        actor("a", sink, can=[send("b"), store("k/*")]),
        bound=[send("*"), store("**")],
    )
    async with open_system(blueprint(tree, actor("free", sink, can=[]))) as system:
        grants = system.grants("a")
        kept = "storage read **, storage write **, storage delete **"
        grants.extend(send("c"), seconds=5)
        grants.revoke(store("**"))
        grants.extend(store("k/1"))
        grants.narrow(send("*"))
        assert str(grants) == (
            "local/a/0 holds messaging send b, storage read k/*, storage write k/*, "
            "storage delete k/*; extended by messaging send c; "
            f"revoked {kept}; extended by storage read k/1, storage write k/1, "
            "storage delete k/1; narrowed to messaging send *; "
            f"bound of s: messaging send *, {kept}"
        )
        await trio.sleep(6)
        assert "send c" not in str(grants)
        assert repr(grants) == f"<Grants: {grants}>"
        assert str(system.grants("free")) == "local/free/0 holds nothing"


async def test_changes_that_are_not_valid_say_what_to_do():
    tree = supervisor("s", actor("a", sink, can=[]), bound=[send("b")])
    other = actor("other", sink, can=[])
    async with open_system(blueprint(tree, other)) as system:
        grants = system.grants("a")
        for change in (grants.revoke, grants.narrow, grants.extend):
            for wrong in ("send", None, [send("b")], send):
                with pytest.raises(DefinitionError, match="is not a grant"):
                    change(send("b"), wrong)
        with pytest.raises(NotGranted, match="Extend it by less, or widen that bound"):
            grants.extend(send("c"))
        with pytest.raises(NotGranted, match="Lend what the lender holds"):
            grants.lend("other", send("b"))
        assert str(grants) == "local/a/0 holds nothing; bound of s: messaging send b"


async def test_an_actor_that_nothing_restricts_has_no_grants_to_change():
    tree = blueprint(actor("a", sink), component("c", ECHO, can=everything()))
    async with open_system(tree) as system:
        for name in ("a", "c", "nobody"):
            with pytest.raises(NotGranted, match="nothing restricts"):
                system.grants(name)
        assert ActorSpec(id=ComponentId("local", "a"), behaviour=sink).can is None


async def test_what_bounds_a_pool_bounds_its_members():
    """CWE-266: members without grants of their own have those of the bound, and no more."""
    members = pool("p", actor("m", relay), size=2)
    tree = blueprint(
        supervisor("s", members, bound=[send("b")]),
        actor("b", sink),
        actor("c", sink),
    )
    async with open_system(tree) as system:
        for _ in range(2):
            assert await system.ask("p", b"send\nb\nx") == b"ok"
            refused = await system.ask("p", b"send\nc\nx")
            assert refused.startswith(b"err:")


@pytest.mark.parametrize(
    "make",
    [
        lambda: pool("p", component("m", CALLS), size=2, can=[send("b")]),
        lambda: pool("p", component("m", CALLS, can=[send("b")]), size=2),
        lambda: pool("p", actor("m", relay), size=2, can=send("b")),
    ],
)
async def test_what_a_pool_may_do_each_member_may_do(make):
    """CWE-266: `can=` stands at the pool or at its member, and means the same."""
    members = make()
    word = b"send" if isinstance(members.member, ActorSpec) else b"host-messaging.send"
    tree = blueprint(members, actor("b", sink), actor("c", sink))
    async with open_system(tree) as system:
        for _ in range(2):
            assert await system.ask("p", word + b"\nlocal/b/0\nx") == b"ok"
            refused = await system.ask("p", word + b"\nlocal/c/0\nx")
            assert refused.startswith(b"err:")


@pytest.mark.parametrize(
    ("child", "problem"),
    [
        (pool("p", component("m", CALLS, can=[send("b")]), can=[send("c")]), "its member has can= too"),
        (pool("p", actor("m", sink, can=[send("b")]), can=[]), "its member has can= too"),
        (supervisor("s", pool("p", component("m", CALLS), can=[send("c")]), bound=[]), "goes beyond the bound of s"),
        (pool("p", component("m", CALLS), can=["send"]), "'send' is not a grant"),
        (pool("p", component("m", CALLS), can=[send("a*")]), "is not a valid segment"),
        (pool("p", None, can=[send("a")]), "None is not"),
    ],
)  # fmt: skip
def test_grants_of_a_pool_are_checked_like_those_of_its_member(child, problem):
    with pytest.raises(DefinitionError, match=re.escape(problem)) as found:
        open_system(blueprint(child))
    assert all(m.file == __file__ and m.line for m in found.value.mistakes)


def test_a_pool_grants_what_the_manifest_of_its_member_asks_for(tmp_path):
    file = tmp_path / "Component.toml"
    file.write_text(
        '[package]\nname = "m"\nversion = "1.0.0"\n[source]\npath = "calls.wat"\n'
        '[capabilities]\nsend = ["b", "c"]\n'
    )
    (tmp_path / "calls.wat").write_bytes((GUESTS / "calls.wat").read_bytes())
    found = pool("p", component("m", file), can=[send("b"), ask("b")]).member
    assert found.can == (send("b"),)
    assert found.requested.granted == (send("b"), ask("b"))
