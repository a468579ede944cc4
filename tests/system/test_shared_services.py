"""What one actor or listener does to publishing, events and watches is its own loss."""

import pytest
import trio

from airssys import (
    BadTopic,
    InvalidMessage,
    Lag,
    MessageFailed,
    actor,
    blueprint,
    open_system,
)
from airssys.testing import wait_until_idle

pytestmark = pytest.mark.usefixtures("handler_kind")


class Neighbour:
    """Lives from all that is shared; notes what it gets."""

    def __init__(self, received):
        self.received = received

    async def started(self, context):
        context.subscribe("news.#")
        context.watch("victim")
        context.send_every(1, b"tick")

    async def handle(self, context, envelope):
        self.received.append(envelope.payload)
        return b"well"


class Beast:
    """Does the worst that it can do to one service."""

    def __init__(self, worst):
        self.worst = worst

    async def handle(self, context, envelope):
        if envelope.payload == b"do":
            await self.worst(context)


async def ticks(context):
    for period in (5e-324, 1e-9, 0.001, float("nan"), 1e308, -1, True):
        for payload in (b"", "text"):
            try:
                context.send_every(period, payload)
                context.send_after(period, payload)
            except (ValueError, InvalidMessage):
                pass


async def watches(context):
    for _ in range(10):
        context.watch(context.self_id)
        context.watch("victim")
        context.watch("nobody")
    context.tell(context.self_id, b"")  # so that its mailbox is full at the end


async def patterns(context):
    for number in range(1000):
        context.subscribe(f"*.{number}.#", lag=Lag.BLOCK)
    context.subscribe("#")


async def topics(context):
    for topic in ("", ".", "a." * 200, "a b", "*", None, b"a", "news." + "a." * 20):
        with pytest.raises((BadTopic, InvalidMessage)):
            await context.publish(topic, b"")
    with pytest.raises((BadTopic, InvalidMessage, TypeError)):
        await context.publish("news.a", object())


async def leaves(context):
    context.subscribe("news.#", lag=Lag.DISCONNECT)
    for number in range(3):
        await context.publish("news.mine", b"%d" % number)
    context.stop()


@pytest.mark.parametrize("worst", [ticks, watches, patterns, topics, leaves])
async def test_what_an_actor_does_is_its_own_loss(autojump_clock, worst):
    async def victim(context, envelope):
        raise ValueError("on purpose")

    received = []
    actors = (
        actor("victim", victim, restart="temporary"),
        actor("neighbour", Neighbour, received),
        actor("beast", Beast, worst, mailbox=3, restart="temporary"),
    )
    async with open_system(blueprint(*actors)) as system:
        system.tell("beast", b"do")
        await wait_until_idle()
        await trio.sleep(2.5)
        assert received.count(b"tick") >= 2
        assert await system.ask("neighbour", b"how") == b"well"
        await system.publish("news.today", b"news")
        system.tell("victim", b"")
        await trio.sleep(0.1)
        assert [word for word in received[-2:] if word != b"tick"] == [
            b"news",
            b"crash",
        ]


async def test_what_a_listener_does_is_its_own_loss(autojump_clock):
    """They close in the middle of what they are given, never read, or read too late."""
    received = []

    async def failing(context, envelope):
        raise ValueError("on purpose")

    actors = (
        actor("neighbour", Neighbour, received),
        actor("failing", failing, on_error={ValueError: "resume"}, mailbox=5000),
    )
    async with open_system(blueprint(*actors)) as system:
        streams = [system.events(capacity) for capacity in (1, 2, 10_000)]
        listeners = [
            system.subscribe("news.#", capacity=1, lag=lag)
            for lag in (Lag.DROP_OLDEST, Lag.DROP_NEWEST, Lag.DISCONNECT, Lag.BLOCK)
        ]

        async def close_while_it_waits():
            await trio.sleep(1)
            listeners[-1].close()
            streams[1].close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_while_it_waits)
            for number in range(3):
                await system.publish("news.a", b"%d" % number)
        for _ in range(2000):
            system.tell("failing", b"")
        await trio.sleep(1)
        assert [payload for payload in received if payload.isdigit()] == [
            b"0",
            b"1",
            b"2",
        ]
        failed = 0
        while True:
            try:
                failed += isinstance(streams[2].next_nowait(), MessageFailed)
            except trio.WouldBlock:
                break
        assert failed == 2000
        assert streams[0].dropped > 1990
