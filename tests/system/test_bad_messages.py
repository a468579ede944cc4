"""Whatever actors and guests send wrongly has a typed end, and all others work on."""

from contextlib import asynccontextmanager, suppress

import pytest
import trio

from airssys import (
    AskTimedOut,
    BadTopic,
    CalleeFailed,
    DeadLetter,
    DeadReason,
    InvalidMessage,
    Lag,
    Limits,
    MessageTooLarge,
    MessagingError,
    RequestWouldDeadlock,
    TargetNotFound,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import NO_BACKOFF
from airssys.messaging import WaitGraph
from airssys.security import everything
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

FOREVER = str(2**64 - 1)
WAITS = ("ask", "send")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


class Actor:
    """Does what it is given as a function; answers what it got, or the error's name."""

    def __init__(self, kept, does=None):
        self.kept, self.does = kept, does

    async def handle(self, context, envelope):
        self.kept.append(envelope)
        if self.does is None or envelope.payload == b"ping":
            return envelope.payload
        try:
            return await self.does(context, envelope)
        except MessagingError as error:
            return type(error).__name__.encode()


def guest(name, **options):
    return component(
        name, GUESTS / "calls.wat", backoff=NO_BACKOFF, can=everything(), **options
    )


@asynccontextmanager
async def system_of(cache, *children, ping=()):
    """Run them beside an echo and a guest; in the end all still work."""
    kept = []
    plan = blueprint(
        actor("echo", Actor, kept, message_bytes=100),
        guest("guest"),
        *children,
        restarts=1000,
        restart_budget=None,
    )
    async with open_system(plan, cache_directory=cache) as system:
        yield system, kept
        await settle()
        for name in ("echo", *ping):
            assert await system.ask(name, b"ping", timeout=50) == b"ping"
        assert await system.ask("guest", b"host-messaging.self-id") == (
            b"ok:local/guest/0"
        )
        assert system.waits() == ()
        assert system._broker.pending_count == 0


async def settle():
    for _ in range(4):
        await wait_until_idle(0.001)


async def say(system, *lines):
    reply = await system.ask("guest", "\n".join(lines).encode(), timeout=50)
    return reply.decode()


# ---------------------------------------------------------------- targets

BAD_NAMES = ["", "/", "a/b", "a/b/c/d", "//", "a//0", "\0", "x\ny", "é" * 200, "a/\t/0"]


@pytest.mark.parametrize("name", [*BAD_NAMES, None, 7, b"echo", ("a", "b", "c")])
async def test_a_target_that_is_not_a_name(name, cache, autojump_clock):
    async def does(context, envelope):
        for act in (context.tell, context.send, context.ask):
            with pytest.raises(InvalidMessage, match="the target is"):
                await act(name, b"")
        with pytest.raises(InvalidMessage, match="the target is"):
            await context.broadcast(["echo", name], b"x")
        return b"refused"

    async with system_of(cache, actor("a", Actor, [], does)) as (system, kept):
        assert await system.ask("a", b"") == b"refused"
        for act in (system.tell, system.send, system.ask):
            with pytest.raises(InvalidMessage, match="the target is"):
                await act(name, b"")
        with pytest.raises(InvalidMessage, match="the target is"):
            await system.broadcast(["echo", name], b"x")
        assert kept == []


@pytest.mark.parametrize("name", ["a//0", "//", "a/\t/0", f"a/{'x' * 200}/0"])
@pytest.mark.parametrize("way", ["send", "ask", "request", "broadcast"])
async def test_a_guests_target_that_is_not_a_name(way, name, cache, autojump_clock):
    async with system_of(cache) as (system, kept):
        last = "local/echo/0" if way == "broadcast" else "1000"
        reply = await say(system, f"host-messaging.{way}", name, "x", last)
        assert reply == f"err:target-not-found:{name}"
        await settle()
        assert kept == []


async def test_a_name_that_is_not_there(cache, autojump_clock):
    async with system_of(cache) as (system, _):
        with pytest.raises(TargetNotFound):
            system.tell("nobody", b"")
        for way in ("send", "ask", "request"):
            reply = await say(system, f"host-messaging.{way}", "local/nobody/0")
            assert reply == "err:target-not-found:local/nobody/0"


# ---------------------------------------------------------------- payloads


async def test_an_empty_payload_is_one(cache, autojump_clock):
    async def does(context, envelope):
        return await context.ask("echo", b"")

    async with system_of(cache, actor("a", Actor, [], does)) as (system, kept):
        assert await system.ask("a", b"x") == b""
        assert await say(system, "host-messaging.ask", "local/echo/0", "") == "ok:"
        assert await say(system, "host-messaging.send", "local/echo/0", "") == "ok"
        system.tell("guest", b"")
        await settle()
        assert [envelope.payload for envelope in kept] == [b"", b"", b""]


async def test_a_payload_that_is_too_large(cache, autojump_clock):
    large = b"x" * 101

    async def does(context, envelope):
        for act in (context.tell, context.send, context.ask):
            with pytest.raises(MessageTooLarge):
                await act("echo", large)
        results = await context.broadcast(["echo"], large)
        return type(next(iter(results.values()))).__name__.encode()

    async with system_of(cache, actor("a", Actor, [], does)) as (system, kept):
        assert await system.ask("a", b"") == b"MessageTooLarge"
        for way in ("send", "ask", "request"):
            reply = await say(
                system, f"host-messaging.{way}", "local/echo/0", large.decode()
            )
            assert reply.startswith("err:invalid-message:101 bytes are too many")
        reply = await say(
            system, "host-messaging.broadcast", "local/echo/0", large.decode()
        )
        assert "101 bytes are too many" in reply
        assert kept == []


async def test_what_is_published_and_too_large_is_a_dead_letter(cache, autojump_clock):
    class Small(Actor):
        async def started(self, context):
            context.subscribe("x")

    kept = []
    small = actor("small", Small, kept, message_bytes=10)
    async with system_of(cache, small, ping=["small"]) as (system, _):
        letters = system.dead_letters()
        await system.publish("x", b"x" * 11)
        assert (await anext(letters)).why.startswith("it was published, and refused")
        assert kept == []


@pytest.mark.parametrize("payload", [None, "text", 7, [1], object()])
async def test_a_payload_that_is_not_bytes(payload, cache, autojump_clock):
    async with system_of(cache) as (system, kept):
        for act in (system.tell, system.send, system.ask):
            with pytest.raises(InvalidMessage, match="no bytes"):
                await act("echo", payload)
        for act in (system.broadcast, system.publish):
            with pytest.raises(InvalidMessage, match="no bytes"):
                await act(["echo"] if act == system.broadcast else "x", payload)
        assert kept == []


@pytest.mark.parametrize("topic", ["", ".", "a..b", "*", "a.#", "a b", "x" * 300, None])
async def test_a_topic_that_is_none(topic, cache, autojump_clock):
    async with system_of(cache) as (system, _):
        with pytest.raises(BadTopic):
            await system.publish(topic, b"")
        if topic is not None:
            reply = await say(system, "host-messaging.publish", topic, "x")
            assert reply.startswith("err:invalid-message:")


# ---------------------------------------------------------------- times


async def hang(context, envelope):
    await trio.sleep_forever()


@pytest.mark.parametrize("timeout", [0, 0.0])
async def test_no_time_at_all(timeout, cache, autojump_clock):
    async def does(context, envelope):
        await context.ask("echo", b"late", timeout=timeout)

    async with system_of(cache, actor("a", Actor, [], does)) as (system, kept):
        letters = system.dead_letters()
        with pytest.raises(AskTimedOut):
            await system.ask("echo", b"late", timeout=timeout)
        assert await system.ask("a", b"") == b"AskTimedOut"
        reply = await say(system, "host-messaging.ask", "local/echo/0", "late", "0")
        assert reply.startswith("err:correlation-timeout:")
        reply = await say(system, "host-messaging.request", "local/echo/0", "late", "0")
        assert reply.startswith("ok:")
        await settle()
        assert kept == [], "its time was over before it was taken"
        assert letters.total == 4
        assert (await anext(letters)).reason is DeadReason.EXPIRED


@pytest.mark.parametrize("timeout", [2**64 - 1, 2.0**64, 10**400, float("inf")])
async def test_all_the_time_there_is(timeout, cache, autojump_clock):
    async def does(context, envelope):
        return await context.ask("echo", b"hi", timeout=timeout)

    async with system_of(cache, actor("a", Actor, [], does)) as (system, _):
        assert await system.ask("echo", b"hi", timeout=timeout) == b"hi"
        assert await system.ask("echo", b"hi", timeout=timeout, retries=1) == b"hi"
        assert await system.ask("a", b"hi", timeout=timeout) == b"hi"
        system.tell("echo", b"hi", ttl=timeout)


async def test_a_guest_may_wait_for_all_the_time_there_is(cache, autojump_clock):
    gone = actor("gone", hang, restart="temporary", shutdown=0)
    limits = Limits(execution_time=86_400)
    other = guest("other", limits=limits)
    async with system_of(cache, gone, other) as (system, _):
        for way in ("ask", "request"):
            script = [f"host-messaging.{way}", "local/echo/0", "hi", FOREVER]
            assert (await say(system, *script)).startswith("ok:")
        script = f"host-messaging.ask\nlocal/gone/0\nhi\n{FOREVER}".encode()
        async with trio.open_nursery() as nursery:
            replies = []

            async def ask():
                replies.append(await system.ask("other", script, timeout=1e6))

            nursery.start_soon(ask)
            await trio.sleep(80_000)
            await system.supervisor("root").terminate_child("local/gone/0")
        assert replies[0].startswith(b"err:delivery-failed:local/gone/0 did not answer")


@pytest.mark.parametrize("time", [-1, float("nan"), "5", True, b"", -(10**400)])
async def test_a_time_that_is_none(time, cache, autojump_clock):
    async def does(context, envelope):
        await context.ask("echo", b"", timeout=time)

    async with system_of(cache, actor("a", Actor, [], does)) as (system, kept):
        with pytest.raises(InvalidMessage, match="the timeout"):
            await system.ask("echo", b"", timeout=time)
        with pytest.raises(InvalidMessage, match="the timeout"):
            await system.ask("echo", b"", timeout=time, retries=2)
        with pytest.raises(InvalidMessage, match="the ttl"):
            system.tell("echo", b"", ttl=time)
        assert await system.ask("a", b"") == b"InvalidMessage"
        assert kept == []


@pytest.mark.parametrize("time", [-1, float("nan"), float("inf"), 10**400, "5", True])
async def test_a_timer_that_is_none(time, cache, autojump_clock):
    async def does(context, envelope):
        for start in (context.send_after, context.send_every):
            with pytest.raises(ValueError, match="seconds"):
                start(time, b"")
        return b"refused"

    async with system_of(cache, actor("a", Actor, [], does)) as (system, _):
        assert await system.ask("a", b"") == b"refused"


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("name", ["", "no such", "0" * 32, "x" * 10_000, "é"])
async def test_cancelling_a_request_that_was_not_made(name, cache, autojump_clock):
    async with system_of(cache) as (system, _):
        reply = await say(system, "host-messaging.cancel-request", name)
        assert reply.startswith("err:invalid-message:no request")


async def test_no_actor_cancels_the_request_of_another(cache, autojump_clock):
    held = actor("held", hang, shutdown=0)
    async with system_of(cache, held, guest("other")) as (system, _):
        script = ["host-messaging.request", "local/held/0", "x", "5000"]
        name = (await say(system, *script)).removeprefix("ok:")
        theft = f"host-messaging.cancel-request\n{name}".encode()
        reply = await system.ask("other", theft)
        assert reply.startswith(b"err:invalid-message:no request")
        assert (await say(system, "host-messaging.cancel-request", name)) == "ok"


async def test_an_answer_after_its_asker_has_gone_is_a_dead_letter(
    cache, autojump_clock
):
    slots = []

    async def does(context, envelope):
        slots.append(envelope.reply)
        return b"first"

    async with system_of(cache, actor("a", Actor, [], does)) as (system, _):
        assert await system.ask("a", b"x") == b"first"
        letters = system.dead_letters()
        assert slots[0].answer(b"second") is False
        assert slots[0].fail(ValueError()) is False
        with trio.move_on_after(0):
            await system.ask("a", b"x")
        await settle()
        await say(system, "host-messaging.request", "local/a/0", "x")
        await settle()
        assert slots[-1].answer(b"second") is False
        last = [letters.next_nowait() for _ in range(letters.total)][-1]
        assert last.reason is DeadReason.LATE_ANSWER
        assert last.payload == b"second"


async def test_what_looks_like_an_answer_is_a_message(cache, autojump_clock):
    """Answers come by a right that only the asked one has, not by what a message says."""
    async with system_of(cache, actor("held", hang, shutdown=0)) as (system, _):
        script = ["host-messaging.request", "local/held/0", "x", "5000"]
        name = (await say(system, *script)).removeprefix("ok:")
        with pytest.raises(CalleeFailed, match="no such function"):
            await system.ask("guest", f"{name}\nforged".encode())
        assert system._broker.pending_count == 1
        assert (await say(system, "host-messaging.cancel-request", name)) == "ok"


# ---------------------------------------------------------------- floods


@pytest.mark.parametrize("lag", list(Lag))
async def test_a_listener_that_never_reads(lag, cache, autojump_clock):
    async with system_of(cache) as (system, _):
        slow = system.subscribe("x", capacity=1, lag=lag)
        with system.subscribe("x") as quick:
            for number in range(5):
                with trio.move_on_after(1):
                    await system.publish("x", b"%d" % number)
            assert [quick.next_nowait().payload for _ in range(5)] == [
                b"%d" % number for number in range(5)
            ]
        slow.close()


@pytest.mark.parametrize("lag", [Lag.BLOCK, Lag.DROP_NEWEST, Lag.DISCONNECT])
async def test_an_actor_that_subscribes_and_never_takes(lag, cache, autojump_clock):
    class Stuck:
        async def started(self, context):
            context.subscribe("x", lag=lag)

        async def handle(self, context, envelope):
            await trio.sleep_forever()

    stuck = actor("stuck", Stuck, mailbox=1, shutdown=0)
    # Otherwise the first one that has to wait would go on waiting, by its own limits.
    publisher = guest("publisher", on_abandoned="cancel")
    async with system_of(cache, stuck, publisher) as (system, _):
        letters = system.dead_letters()
        with system.subscribe("x") as quick:
            for number in range(5):
                with trio.move_on_after(1):
                    await system.publish("x", b"%d" % number)
                script = "host-messaging.publish\nx\nfrom a guest"
                with suppress(AskTimedOut):
                    await system.ask("publisher", script.encode(), timeout=1)
            assert len([quick.next_nowait() for _ in range(10)]) == 10
        counts = system.mailbox("stuck")
        assert counts.queued <= 1
        published = [letters.next_nowait() for _ in range(letters.total)]
        lost_ones = [each for each in published if each.target.name == "stuck"]
        # With BLOCK those that the publishers withdrew, when their time was up.
        lost = counts.withdrawn if lag is Lag.BLOCK else len(lost_ones)
        reached = counts.queued + counts.in_hand
        assert reached + lost == (3 if lag is Lag.DISCONNECT else 10)


async def test_a_publisher_in_a_tight_loop_lets_others_work(cache):
    """In real time, for what it must not do is hold the thread."""
    gate = trio.Event()

    async def does(context, envelope):
        while not gate.is_set():
            await context.publish("x.y", b"")
        return b"stopped"

    async with system_of(cache, actor("a", Actor, [], does)) as (system, _):
        listener = system.subscribe("x.#", capacity=3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.ask, "a", b"go")
            for _ in range(20):
                assert await system.ask("echo", b"hi") == b"hi"
            gate.set()
        assert listener.dropped > 0
        listener.close()


async def test_a_guest_that_publishes_for_ever_is_stopped_and_others_work(cache):
    flood = component(
        "flood",
        GUESTS / "publish-flood.wat",
        backoff=NO_BACKOFF,
        limits=Limits(execution_time=0.3),
        can=everything(),
    )
    async with system_of(cache, flood) as (system, _):
        listener = system.subscribe("flood", capacity=3)
        events = system.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 0)
            # On a busy machine its time may be over after a few; then once more.
            while not listener.dropped:
                system.tell("flood", b"")
                for _ in range(20):
                    assert await system.ask("echo", b"hi") == b"hi"
                async for event in events:
                    if isinstance(event, DeadLetter):
                        break
                assert event.reason is DeadReason.CRASHED
        listener.close()


# ---------------------------------------------------------------- cycles


@pytest.mark.parametrize("way", WAITS)
async def test_an_actor_that_waits_for_itself_is_refused(way, cache, autojump_clock):
    async def does(context, envelope):
        context.tell(context.self_id, b"ping")
        await getattr(context, way)(context.self_id, b"")

    kept = []
    selfish = actor("a", Actor, kept, does, mailbox=1)
    async with system_of(cache, selfish, ping=["a"]) as (system, _):
        assert await system.ask("a", b"") == b"RequestWouldDeadlock"
        await settle()
        assert kept[1].payload == b"ping", "it may tell itself"


@pytest.fixture
def refused_paths(monkeypatch):
    """The path of each wait that is refused."""
    paths, add = [], WaitGraph.add

    def note(graph, waiter, target):
        try:
            add(graph, waiter, target)
        except RequestWouldDeadlock as refused:
            paths.append([one.name for one in refused.path])
            raise

    monkeypatch.setattr(WaitGraph, "add", note)
    return paths


@pytest.mark.parametrize("way", WAITS)
async def test_a_guest_that_waits_for_itself_is_refused(
    way, refused_paths, cache, autojump_clock
):
    async with system_of(cache, guest("g", mailbox=1)) as (system, _):
        system.tell("g", f"host-messaging.{way}\nlocal/g/0\nx".encode())
        # It waits for room, and fills the mailbox when the first message is taken.
        await system.send("g", b"host-messaging.self-id")
        await settle()
        assert refused_paths == [["g", "g"]]
        assert await system.ask("g", b"host-messaging.self-id") == b"ok:local/g/0"


def ring(length, kinds, timeout=30):
    """Actors, or guests, each of which asks the next what it was asked."""

    def ask(following):
        async def does(context, envelope):
            return await context.ask(following, envelope.payload, timeout=timeout)

        return does

    members = []
    for index in range(length):
        name, following = f"r{index}", f"r{(index + 1) % length}"
        if kinds == "actors" or (kinds == "mixed" and index % 2):
            members.append(actor(name, Actor, [], ask(following)))
        else:
            data = f"local/{following}/0/{timeout * 1000}".encode()
            code = GUESTS / "asker.wat"
            members.append(
                component(name, code, data=data, backoff=NO_BACKOFF, can=everything())
            )
    return members


@pytest.mark.parametrize("length", range(1, 6))
@pytest.mark.parametrize("kinds", ["actors", "guests", "mixed"])
async def test_a_cycle_of_asks_is_refused_where_it_closes(
    length, kinds, refused_paths, cache, autojump_clock
):
    async with system_of(cache, *ring(length, kinds)) as (system, _):
        began = trio.current_time()
        for _ in range(3):
            try:
                reply = await system.ask("r0", b"round", timeout=20)
            except CalleeFailed as failed:
                reply = str(failed.error).encode()
            assert reply != b"round"
        members = [f"r{index}" for index in range(length)]
        assert refused_paths == [[members[-1], *members]] * 3
        assert trio.current_time() == began, "at once, and by no timeout"


@pytest.mark.parametrize("length", range(2, 6))
@pytest.mark.parametrize("kinds", ["actors", "guests", "mixed"])
async def test_asks_that_together_close_a_cycle(
    length, kinds, refused_paths, cache, autojump_clock
):
    """All members are asked at once: the last to ask is refused, the others go on."""
    async with system_of(cache, *ring(length, kinds)) as (system, _):
        began, replies = trio.current_time(), []

        async def ask(name):
            try:
                replies.append(await system.ask(name, b"round", timeout=20))
            except CalleeFailed as failed:
                replies.append(str(failed).encode())
            except AskTimedOut:
                replies.append(b"timed out")

        async with trio.open_nursery() as nursery:
            for index in range(length):
                nursery.start_soon(ask, f"r{index}")
        assert len(replies) == length
        assert b"timed out" not in replies
        assert refused_paths
        assert {len(path) for path in refused_paths} <= {length + 1}
        assert trio.current_time() == began


async def test_an_ask_and_a_blocked_send_that_together_close_a_cycle(
    cache, autojump_clock
):
    """One actor asks the other, which then sends to its full mailbox."""

    async def asks(context, envelope):
        return await context.ask("sender", b"go", timeout=30)

    async def sends(context, envelope):
        await trio.sleep(1)
        with pytest.raises(RequestWouldDeadlock) as refused:
            await context.send("asker", b"no room")
        return b"%d" % len(refused.value.path)

    asker = actor("asker", Actor, [], asks, mailbox=1)
    sender = actor("sender", Actor, [], sends)
    async with system_of(cache, asker, sender, ping=["sender", "asker"]) as (system, _):
        async with trio.open_nursery() as nursery:
            answers = []

            async def ask():
                answers.append(await system.ask("asker", b"go", timeout=20))

            nursery.start_soon(ask)
            await trio.sleep(0.5)
            system.tell("asker", b"ping")
        assert answers == [b"3"]


async def test_a_guests_blocked_send_that_would_close_a_cycle(cache, autojump_clock):
    async def asks(context, envelope):
        await trio.sleep(0.5)
        return await context.ask(
            "guest", b"host-messaging.send\nlocal/asker/0\nping", timeout=30
        )

    asker = actor("asker", Actor, [], asks, mailbox=1)
    async with system_of(cache, asker, ping=["asker"]) as (system, _):
        async with trio.open_nursery() as nursery:
            answers = []

            async def ask():
                answers.append(await system.ask("asker", b"go", timeout=20))

            nursery.start_soon(ask)
            await trio.sleep(0.1)
            system.tell("asker", b"ping")
        assert answers[0].startswith(b"err:delivery-failed:would wait for itself")
