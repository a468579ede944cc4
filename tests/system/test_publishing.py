"""Topics, end to end: actors, guests and plain Trio code publish and subscribe."""

from contextlib import suppress

import pytest
import trio

from airssys import (
    ENDED,
    AskTimedOut,
    BadTopic,
    DeadLetter,
    InvalidMessage,
    Lag,
    ListenerStalled,
    Logged,
    MailboxFull,
    TargetNotFound,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import (
    ERROR_TYPE,
    NO_BACKOFF,
    TOPIC_TYPE,
    Artifact,
    ComponentId,
)
from airssys.security import everything
from airssys.testing import wait_until_idle
from pace import PATIENCE
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

CALLS = Artifact.at(GUESTS / "calls.wat")


class Listener:
    """Subscribes when it starts; notes what it handles, and does what that says."""

    def __init__(self, received, patterns, lag=None, gate=None):
        self.received, self.patterns, self.lag, self.gate = (
            received,
            patterns,
            lag,
            gate,
        )

    async def started(self, context):
        for pattern in self.patterns:
            context.subscribe(pattern, lag=self.lag)

    async def handle(self, context, envelope):
        self.received.append((envelope.topic, envelope.payload))
        if self.gate is not None:
            await self.gate.wait()
        match envelope.payload:
            case b"crash":
                raise ValueError("on purpose")
            case b"publish":
                await context.publish("from.actor", b"hi")
            case b"leave":
                context.unsubscribe(self.patterns[0])


async def settle():
    for _ in range(3):
        await wait_until_idle(0.001)


def subscriptions(system):
    return len(system._publishing.subscriptions)


async def test_each_subscriber_gets_a_message_once_and_only_what_matches():
    one, two = [], []
    plan = blueprint(
        actor("one", Listener, one, ("news.*", "news.#", "#")),
        actor("two", Listener, two, ("news.today.#",)),
    )
    async with open_system(plan) as system:
        await system.publish("news.today", b"1")
        await system.publish("weather", b"2")
        await settle()
        assert one == [("news.today", b"1"), ("weather", b"2")]
        assert two == [("news.today", b"1")]
        system.tell("two", b"leave")
        await settle()
        await system.publish("news.today", b"3")
        await settle()
        assert two[-1] == (None, b"leave")


async def test_actors_publish_to_trio_code_in_order():
    async with open_system(blueprint(actor("a", Listener, [], ("x",)))) as system:
        with system.subscribe("from.*") as found:
            for _ in range(3):
                system.tell("a", b"publish")
            for _ in range(3):
                message = await anext(found)
                assert message.topic == "from.actor"
                assert str(message.sender) == "local/a/0"
                assert message.content_type == TOPIC_TYPE + "from.actor"
        assert subscriptions(system) == 1


async def test_a_subscription_ends_with_its_incarnation_and_with_its_actor():
    received = []
    async with open_system(
        blueprint(actor("a", Listener, received, ("x", "y.#"), backoff=NO_BACKOFF))
    ) as system:
        assert subscriptions(system) == 2
        await system.publish("x", b"crash")
        await settle()
        assert subscriptions(system) == 2, "the next one has subscribed anew"
        await system.publish("y.1", b"still")
        await settle()
        assert received == [("x", b"crash"), ("y.1", b"still")]
    assert subscriptions(system) == 0


def dead_letters(events):
    found = []
    with suppress(trio.WouldBlock):
        while True:
            found.append(events.next_nowait())
    return [event.why for event in found if isinstance(event, DeadLetter)]


@pytest.mark.parametrize(
    ("lag", "handled", "lost"),
    [
        (None, b"125", 2),
        (Lag.DROP_NEWEST, b"125", 2),
        (Lag.DISCONNECT, b"12", 1),
        (Lag.BLOCK, b"12345", 0),
    ],
)
async def test_what_a_full_actor_does_is_its_lag_policy(lag, handled, lost):
    received, gate = [], trio.Event()
    plan = blueprint(actor("a", Listener, received, ("x",), lag, gate, mailbox=1))

    async def publish(*words):
        for word in words:
            await system.publish("x", word)

    async with open_system(plan) as system, trio.open_nursery() as nursery:
        events = system.events()
        await publish(b"1")
        await settle()
        await publish(b"2")
        nursery.start_soon(publish, b"3", b"4")
        await settle()
        assert bool(system._broker.waits.edges()) == (lag is Lag.BLOCK)
        gate.set()
        await settle()
        await publish(b"5")
        await settle()
        assert b"".join(word for _, word in received) == handled
        found = dead_letters(events)
        assert len(found) == lost
        assert all("it was published" in why for why in found)


@pytest.mark.parametrize(
    "policy", ["fail", "drop-newest", "drop-oldest", "dead-letter"]
)
@pytest.mark.parametrize(
    ("lag", "handled"), [(Lag.DROP_NEWEST, b"12"), (Lag.BLOCK, b"123")]
)
async def test_an_overflow_policy_has_no_say_in_what_was_published(
    policy, lag, handled
):
    received, gate = [], trio.Event()
    listener = actor(
        "a", Listener, received, ("x",), lag, gate, mailbox=1, overflow=policy
    )
    async with (
        open_system(blueprint(listener)) as system,
        trio.open_nursery() as nursery,
    ):
        events = system.events()
        for word in (b"1", b"2", b"3"):
            nursery.start_soon(system.publish, "x", word)
            await settle()
        with suppress(MailboxFull):
            system.tell("a", b"never pushes them out")
        gate.set()
        await settle()
        assert b"".join(word for _, word in received) == handled
        published = [why for why in dead_letters(events) if "it was published" in why]
        assert len(published) == 3 - len(handled)


async def test_an_actor_cannot_drop_what_others_sent():
    async def fail(context, envelope):
        with pytest.raises(ValueError, match="mailbox"):
            context.subscribe("x", lag=Lag.DROP_OLDEST)
        return b"refused"

    async with open_system(blueprint(actor("a", fail))) as system:
        assert await system.ask("a", b"") == b"refused"
        assert subscriptions(system) == 0


@pytest.mark.parametrize(
    ("lag", "kept", "dropped"),
    [
        (Lag.DROP_OLDEST, [b"2", b"3"], 2),
        (Lag.DROP_NEWEST, [b"0", b"1"], 2),
        (Lag.DISCONNECT, [b"0", b"1"], 1),
    ],
)
async def test_a_listener_that_does_not_keep_up(lag, kept, dropped):
    async with open_system(blueprint(actor("a", Listener, [], ()))) as system:
        listener = system.subscribe("x", capacity=2, lag=lag)
        for number in range(4):
            await system.publish("x", str(number).encode())
        assert listener.dropped == dropped
        assert listener.disconnected == (lag is Lag.DISCONNECT)
    assert [message.payload async for message in listener] == kept
    assert subscriptions(system) == 0


async def test_a_publisher_waits_for_a_listener_that_blocks():
    async with open_system(blueprint(actor("a", Listener, [], ()))) as system:
        listener = system.subscribe("x", capacity=1, lag=Lag.BLOCK)
        await system.publish("x", b"1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.publish, "x", b"2")
            await settle()
            assert (await anext(listener)).payload == b"1"
            assert (await anext(listener)).payload == b"2"
        await system.publish("x", b"3")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.publish, "x", b"4")
            await settle()
            listener.close()
        assert subscriptions(system) == 0


async def test_a_forgotten_listener_holds_publishers_for_its_patience_only(
    autojump_clock, caplog
):
    async with open_system(blueprint()) as system:
        events = system.events()
        forgotten = system.subscribe("t.*", capacity=1, lag=Lag.BLOCK)
        await system.publish("t.a", b"1")
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for payload in (b"2", b"3"):
                nursery.start_soon(system.publish, "t.a", payload)
        assert trio.current_time() == began + 30
        (stalled,) = [e async for e in _now(events) if isinstance(e, ListenerStalled)]
        assert stalled.listener.startswith("t.* created at ")
        assert "test_publishing.py:" in stalled.listener
        assert (stalled.topic, stalled.waited) == ("t.a", 30)
        assert stalled.listener in caplog.text
        await system.publish("t.a", b"4")
        assert trio.current_time() == began + 30
        assert (forgotten.is_stalled, forgotten.dropped) == (True, 3)
        # It is waited for again as soon as it takes what it has.
        assert forgotten.next_nowait().payload == b"1"
        await system.publish("t.a", b"5")
        with trio.move_on_after(10) as scope:
            await system.publish("t.a", b"6")
        assert scope.cancelled_caught
        forgotten.close()
        await system.publish("t.a", b"7")


async def _now(stream):
    while True:
        try:
            yield stream.next_nowait()
        except trio.WouldBlock:
            return


async def test_a_listener_that_takes_something_now_and_then_is_waited_for(
    autojump_clock,
):
    taken = []
    async with open_system(blueprint()) as system, trio.open_nursery() as nursery:
        slow = system.subscribe("t", capacity=1, lag=Lag.BLOCK, patience=10)

        async def take():
            async for message in slow:
                taken.append(message.payload)
                await trio.sleep(9)

        nursery.start_soon(take)
        async with trio.open_nursery() as publishers:
            for number in range(8):
                publishers.start_soon(system.publish, "t", b"%d" % number)
        slow.end()
    assert len(taken) == 8
    assert slow.dropped == 0


@pytest.mark.parametrize(
    "wrong", [{"patience": 0}, {"patience": float("nan")}, {"lag": "wait"}]
)
async def test_what_a_subscription_cannot_be(wrong):
    async with open_system(blueprint()) as system:
        with pytest.raises(ValueError, match=r"patience|Lag"):
            system.subscribe("t", **wrong)
        assert len(system._publishing.subscriptions) == 0


async def test_a_publisher_that_is_cancelled_while_it_waits_for_many(autojump_clock):
    """To its handler that is one cancellation, as of any other wait."""
    caught = []

    async def publish(context, envelope):
        try:
            await context.publish("x", b"2")
        except trio.Cancelled:
            caught.append(envelope.payload)
            raise

    gate = trio.Event()
    plan = blueprint(
        actor("a", Listener, [], ("x",), Lag.BLOCK, gate, mailbox=1),
        actor("p", publish),
    )
    async with open_system(plan) as system:
        listeners = [system.subscribe("x", capacity=1, lag=Lag.BLOCK) for _ in range(2)]
        await system.publish("x", b"taken")
        await settle()
        system.tell("a", b"queued")
        for number in range(2):
            with suppress(AskTimedOut):
                await system.ask("p", b"%d" % number, timeout=1)
        await settle()
        assert caught == [b"0", b"1"]
        assert not system._broker.waits.edges()
        assert system.mailbox("a").withdrawn == len(caught)
        gate.set()
        for listener in listeners:
            listener.close()


async def test_guests_publish_and_subscribe():
    plan = blueprint(
        component("g", CALLS, can=everything()), component("h", CALLS, can=everything())
    )
    async with open_system(plan) as system:
        events = system.events()
        assert await system.ask("h", b"host-messaging.subscribe\nnews.*") == b"ok"
        with system.subscribe("news.#") as found:
            publish = b"host-messaging.publish\nnews.x\nhost-services.log"
            assert await system.ask("g", publish) == b"ok"
            assert (await anext(found)).sender.name == "g"
        async for event in events:
            if isinstance(event, Logged):
                break
        assert event.source.name == "h"
        assert await system.ask("h", b"host-messaging.unsubscribe\nnews.*") == b"ok"
        again = await system.ask("h", b"host-messaging.unsubscribe\nnews.*")
        assert again.startswith(b"err:invalid-message:local/h/0 is not subscribed")
        wrong = await system.ask("h", b"host-messaging.subscribe\n#.x")
        assert wrong.startswith(b"err:invalid-message:'#' in")
        assert subscriptions(system) == 0


async def test_a_guest_sees_the_topic_in_the_content_type():
    plan = blueprint(component("w", GUESTS / "whoami.wat", can=everything()))
    async with open_system(plan) as system:
        answer = await system._broker.ask(
            ComponentId.parse("w"),
            ComponentId.parse("publisher"),
            b"",
            content_type=TOPIC_TYPE + "a.b",
            timeout=PATIENCE,
            waiter=None,
        )
        assert answer.endswith(b"|application/vnd.airssys.topic; topic=a.b")


@pytest.mark.parametrize(
    "content_type", [TOPIC_TYPE + "a", ENDED, ERROR_TYPE, "Application/VND.airssys.x"]
)
@pytest.mark.parametrize("way", ["tell", "send", "ask"])
async def test_no_actor_makes_a_message_look_as_if_the_host_had_made_it(
    content_type, way
):
    received = []
    async with open_system(blueprint(actor("a", Listener, received, ()))) as system:

        async def send():
            done = getattr(system, way)("a", b"", content_type=content_type)
            await done

        with pytest.raises(InvalidMessage, match="by the host alone"):
            await send()
        await settle()
        assert received == []


async def test_a_broadcast_has_a_result_for_each_target():
    gate = trio.Event()
    full = actor("full", Listener, [], (), None, gate, mailbox=1)
    received = []
    plan = blueprint(
        full,
        actor("a", Listener, received, ()),
        component("g", CALLS, can=everything()),
    )
    async with open_system(plan) as system:
        for word in (b"1", b"2"):
            await system.send("full", word)
            await settle()
        with pytest.raises(MailboxFull):
            system.tell("full", b"3")
        results = {}

        async def broadcast():
            results.update(await system.broadcast(["full", "x", "a", "a"], b"all"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(broadcast)
            await settle()
            assert received == [(None, b"all")], (
                "a full one does not keep it from others"
            )
            gate.set()
        answer = {target.name: error for target, error in results.items()}
        assert answer["full"] is None
        assert answer["a"] is None
        assert isinstance(answer["x"], TargetNotFound)
        request = b"host-messaging.broadcast\nlocal/x/0\nhi\nlocal/y/0"
        answer = (await system.ask("g", request)).decode()
        assert answer.startswith("err:delivery-failed:2 not reached: ")
        assert "local/x/0: no actor" in answer
        assert "local/y/0: no actor" in answer
        fine = b"host-messaging.broadcast\nlocal/a/0\nhi\nlocal/full/0"
        assert await system.ask("g", fine) == b"ok"


async def test_bad_topics_are_refused():
    async with open_system(blueprint(actor("a", Listener, [], ()))) as system:
        with pytest.raises(BadTopic):
            await system.publish("a.*", b"")
        with pytest.raises(BadTopic):
            await system.publish(None, b"")
        with pytest.raises(BadTopic):
            system.subscribe("a.#.b")
        with pytest.raises(ValueError, match="capacity and kept_bytes must be 1"):
            system.subscribe("a", capacity=0)
        assert subscriptions(system) == 0
