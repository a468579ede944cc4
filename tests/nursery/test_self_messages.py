"""An actor reaches itself while it starts, at first as at each restart; others do not."""

import pytest
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    ChildStarted,
    DeadLetter,
    Lag,
    RequestWouldDeadlock,
    RestartType,
    TargetNotFound,
)

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


class Loader:
    """Does things with itself while it starts, and notes what it gets."""

    def __init__(self, log, start):
        self.log, self.start = log, start

    async def started(self, context):
        await self.start(context)

    async def handle(self, context, envelope):
        if envelope.payload == b"crash":
            raise ValueError("on purpose")
        self.log.append(envelope.payload)


async def tell(context):
    context.tell(context.self_id, b"load")


async def send(context):
    await context.send(context.self_id, b"load")


async def broadcast(context):
    assert set((await context.broadcast([context.self_id], b"load")).values()) == {None}


async def publish(context):
    context.subscribe("t", lag=Lag.BLOCK)
    await context.publish("t", b"load")


@pytest.mark.parametrize("start", [tell, send, broadcast, publish])
async def test_it_reaches_itself_at_each_start(autojump_clock, start):
    log = []
    loader = python("loader", Loader, arguments=(log, start), backoff=NO_BACKOFF)
    async with running(loader) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        assert log == [b"load"]
        system.tell("loader", b"crash")
        await trio.sleep(1)
        assert log == [b"load", b"load"]


async def test_what_it_asks_itself_is_refused_as_ever(autojump_clock):
    refused = []

    async def start(context):
        with pytest.raises(RequestWouldDeadlock):
            await context.ask(context.self_id, b"")
        refused.append(None)

    async with running(python("loader", Loader, arguments=([], start))):
        assert refused == [None]


async def test_others_do_not_reach_it_before_it_is_ready(autojump_clock):
    unreached = []

    async def start(context):
        await trio.sleep(1)

    class Starter:
        async def handle(self, context, envelope):
            with pytest.raises(TargetNotFound):
                context.tell("slow", b"")
            unreached.append(None)

    slow = python("slow", Loader, arguments=([], start))
    async with running(python("first", Starter)) as (system, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.supervisor("root").start_child, slow)
            await trio.testing.wait_all_tasks_blocked()
            await system.ask("first", b"")
            assert system.find("slow") is None
        assert unreached == [None]
        assert system.find("slow") is not None


async def test_what_an_actor_sent_itself_is_a_dead_letter_if_it_never_was_ready(
    autojump_clock,
):
    async def start(context):
        context.tell(context.self_id, b"load")
        raise ValueError("on purpose")

    loader = python(
        "loader", Loader, arguments=([], start), restart=RestartType.TEMPORARY
    )
    async with running() as (system, watch):
        await system.supervisor("root").start_child(loader)
        await system.supervisor("root").delete_child(loader.id)
        letters = watch.of(DeadLetter)
        assert [letter.payload for letter in letters] == [b""]
        assert [str(letter.target) for letter in letters] == ["local/loader/0"]
        assert watch.of(ChildStarted) == []


async def test_watching_one_that_starts_reports_its_real_end(autojump_clock):
    """And one that watches itself is not notified that it is absent."""

    async def start(context):
        context.watch(context.self_id)
        await trio.sleep(1)

    log = []
    slow = python("slow", Loader, arguments=(log, start), restart=RestartType.TEMPORARY)
    async with running() as (system, _), trio.open_nursery() as nursery:
        nursery.start_soon(system.supervisor("root").start_child, slow)
        await trio.sleep(0.5)
        ends = []

        async def watch():
            ends.append(await system.watch("slow"))

        nursery.start_soon(watch)
        await trio.sleep(1)
        assert ends == log == []
        system.tell("slow", b"crash")
        await trio.sleep(1)
        assert [end.reason.kind.value for end in ends] == ["crash"]
