"""What belongs to a message belongs to the task that handles it, and to its children."""

import math

import pytest
import trio
import trio.testing

from airssys.contracts import AskTimedOut, Lag, RequestWouldDeadlock, TraceContext

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")

TRACE = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


class Host:
    """An actor whose context others have."""

    def __init__(self, log):
        self.log = log

    async def started(self, context):
        self.log.append(context)

    async def handle(self, context, envelope):
        self.log.append(envelope)
        if envelope.payload.startswith(b"sleep"):
            await trio.sleep(float(envelope.payload[5:]))
        else:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(context.ask, "slow", b"3")


def host(log, **options):
    return python("host", Host, arguments=(log,), **options)


async def slow(context, envelope):
    await trio.sleep(float(envelope.payload))
    return envelope.payload


async def ask(system, *arguments, **keywords):
    try:
        return await system.ask(*arguments, **keywords)
    except AskTimedOut as error:
        return error


@pytest.fixture
def letters():
    return []


@pytest.fixture
def slow_actor(letters):
    async def noting(context, envelope):
        letters.append(envelope)
        return await slow(context, envelope)

    return python("slow", noting)


def start_beside(log, nursery):
    """Return what runs something in the actor's name, and what comes of it later."""
    outcome = []

    async def run(call):
        try:
            outcome.append(await call(log[0]))
        except Exception as error:  # noqa: BLE001  # the test inspects it
            outcome.append(error)

    return lambda call: nursery.start_soon(run, call), outcome


async def test_a_task_beside_has_its_own_time(
    autojump_clock, nursery, letters, slow_actor
):
    log = []
    async with running(host(log), slow_actor) as (system, _):
        start, outcome = start_beside(log, nursery)
        nursery.start_soon(ask, system, "host", b"sleep1")
        await trio.testing.wait_all_tasks_blocked()
        start(lambda context: context.ask("slow", b"3", timeout=math.inf))
        await trio.testing.wait_all_tasks_blocked()
        assert letters[0].deadline is None
        await trio.sleep(4)
        assert outcome == [b"3"]


async def test_a_child_of_the_handler_has_the_time_of_its_message(
    autojump_clock, letters, slow_actor
):
    log = []
    async with running(host(log), slow_actor) as (system, _):
        assert isinstance(await ask(system, "host", b"ask", timeout=1), AskTimedOut)
        assert log[1].deadline is not None
        assert letters[0].deadline == log[1].deadline


async def test_a_task_beside_closes_no_cycle(autojump_clock, nursery):
    """A caller waits for what the actor handles, not for what runs beside it."""

    async def asker(context, envelope):
        if envelope.payload == b"go":
            return await context.ask("host", b"sleep1")
        return b"answer"

    log = []
    async with running(host(log), python("asker", asker)) as (system, _):
        start, outcome = start_beside(log, nursery)
        nursery.start_soon(system.ask, "asker", b"go")
        await trio.testing.wait_all_tasks_blocked()
        start(lambda context: context.ask("asker", b"", timeout=9))
        await trio.sleep(5)
        assert outcome == [b"answer"]
        # And the other way round: one beside waits already when the actor is asked.
        start(lambda context: context.ask("asker", b"go"))
        await trio.sleep(5)
        assert outcome[1:] == [None]
        assert system.waits() == ()


async def test_a_child_of_the_handler_does_close_one(autojump_clock):
    async def asker(context, envelope):
        return await context.ask("middle", b"")

    refused = []

    async def middle(context, envelope):
        async def ask_back():
            with pytest.raises(RequestWouldDeadlock) as caught:
                await context.ask("asker", b"")
            refused.append(caught.value)
            with pytest.raises(RequestWouldDeadlock):
                await context.ask("middle", b"")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask_back)

    actors = python("asker", asker), python("middle", middle)
    async with running(*actors) as (system, _):
        await system.ask("asker", b"")
    assert len(refused) == 1


@pytest.mark.parametrize("way", ["send", "broadcast", "publish"])
async def test_nor_does_one_that_waits_for_room(autojump_clock, nursery, way):
    """`full` waits for the actor, with no room in its mailbox."""

    async def full(context, envelope):
        if envelope.payload == b"go":
            await context.ask("host", b"sleep1")

    async def deliver(context):
        if way == "send":
            await context.send("full", b"more")
        elif way == "broadcast":
            assert set((await context.broadcast(["full"], b"more")).values()) == {None}
        else:
            await context.publish("t", b"more")

    log = []
    taking = python("full", full, mailbox=1, topics=("t",), lag=Lag.BLOCK)
    async with running(host(log), taking) as (system, _):
        start, outcome = start_beside(log, nursery)
        system.tell("full", b"go")
        await trio.testing.wait_all_tasks_blocked()
        system.tell("full", b"fill")
        start(deliver)
        await trio.testing.wait_all_tasks_blocked()
        assert outcome == []
        await trio.sleep(5)
        assert outcome == [None]
        assert system.mailbox("full").handled == 3
        assert system.waits() == ()


async def test_the_trace_of_the_message_is_not_for_a_task_beside(
    autojump_clock, nursery, letters, slow_actor
):
    log = []

    async def look(context):
        context.tell("slow", b"0")
        await context.ask("slow", b"0")
        context.send_after(0, b"sleep0")
        with pytest.raises(RuntimeError, match="trace"):
            context.trace = TRACE
        return context.trace

    async with running(host(log), slow_actor) as (system, _):
        start, outcome = start_beside(log, nursery)
        system.tell("host", b"sleep1", trace=TRACE)
        await trio.testing.wait_all_tasks_blocked()
        assert log[1].trace == TRACE
        start(look)
        await trio.sleep(2)
        assert outcome == [None]
        assert [letter.trace for letter in letters] == [None, None]
        assert log[2].trace is None
        system.tell("host", b"ask", trace=TRACE)
        await trio.testing.wait_all_tasks_blocked()
        assert letters[2].trace == TRACE


async def test_nor_may_it_set_the_message_aside(autojump_clock, nursery):
    log = []

    async def stash(context):
        context.stash()

    async with running(host(log)) as (system, _):
        start, outcome = start_beside(log, nursery)
        start(stash)
        await trio.testing.wait_all_tasks_blocked()
        system.tell("host", b"sleep1")
        await trio.testing.wait_all_tasks_blocked()
        start(stash)
        await trio.sleep(2)
        assert [type(each) for each in outcome] == [RuntimeError, RuntimeError]
        assert system.mailbox("host").handled == 1
        assert system.mailbox("host").stashed == 0


async def test_deadlines_of_a_chain_are_the_same_moment(autojump_clock):
    """Later ones would be missed by their askers, who crash by that, a bit earlier."""
    deadlines = []

    class Link:
        def __init__(self, number):
            self.number = number

        async def handle(self, context, envelope):
            deadlines.append(envelope.deadline)
            if self.number < 20:
                await context.ask(f"n{self.number + 1}", b"", timeout=60)
            await trio.sleep_forever()

    links = [python(f"n{n}", Link, arguments=(n,)) for n in range(21)]
    async with running(*links) as (system, _):
        assert isinstance(await ask(system, "n0", b"", timeout=0.1), AskTimedOut)
        await trio.testing.wait_all_tasks_blocked()
        assert len(deadlines) == 21
        assert len(set(deadlines)) == 1
        assert system.waits() == ()
