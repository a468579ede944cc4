"""The ways into a program: as a task of another nursery, and from other threads."""

import threading
from functools import partial

import pytest
import trio

from airssys.contracts import (
    CalleeFailed,
    DefinitionError,
    DeliveryFailed,
    TargetNotFound,
    Unavailable,
)
from airssys.dsl import actor, blueprint
from airssys.system import Portal, serve
from tests.nursery.company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


async def echo(context, envelope):
    if envelope.payload == b"crash":
        raise ValueError("on purpose")
    return envelope.payload


class Journal:
    """A Python actor that writes down when it stops."""

    def __init__(self, lines):
        self.lines = lines

    async def handle(self, context, envelope):
        return envelope.payload

    async def stopped(self, context):
        self.lines.append(str(context.self_id.name))


async def test_a_served_system_is_ready_and_stops_in_order_with_its_nursery():
    lines = []
    tree = blueprint(actor("a", Journal, lines), actor("b", Journal, lines))
    async with trio.open_nursery() as nursery:
        system = await nursery.start(serve, tree)
        assert await system.ask("b", b"x") == b"x"
        nursery.cancel_scope.cancel()
    assert lines == ["b", "a"]


async def test_a_system_that_cannot_be_served_says_so_to_who_starts_it():
    with pytest.RaisesGroup(DefinitionError):
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, blueprint(actor("a", 3)))


async def in_thread(act, *arguments):
    return await trio.to_thread.run_sync(act, *arguments, abandon_on_cancel=True)


async def test_other_threads_tell_send_ask_and_look():
    async with running(python("echo", echo)) as (system, _):
        portal = Portal(system)
        assert await in_thread(portal.ask, "echo", b"x") == b"x"
        assert await in_thread(portal.tell, "echo", b"y") is None
        assert await in_thread(portal.send, "echo", b"z") is None
        assert (await in_thread(portal.tree)).children[0].name == "local/echo/0"
        called = trio.Event()
        await in_thread(portal.call_soon, called.set)
        await called.wait()


async def test_errors_come_back_to_the_thread():
    async with running(python("echo", echo, mailbox=1)) as (system, _):
        portal = Portal(system)
        with pytest.raises(TargetNotFound):
            await in_thread(portal.tell, "nobody", b"")
        with pytest.raises(CalleeFailed):
            await in_thread(portal.ask, "echo", b"crash")
        with pytest.raises(ValueError, match="timeout"):
            await in_thread(partial(portal.ask, "echo", b"", timeout=-1))


async def test_many_threads_ask_at_once():
    async with running(python("echo", echo)) as (system, _):
        portal, answers = Portal(system), []
        async with trio.open_nursery() as nursery:
            for number in range(20):

                async def ask(text=b"%d" % number):
                    answers.append(await in_thread(portal.ask, "echo", text))

                nursery.start_soon(ask)
    assert sorted(answers) == sorted(b"%d" % number for number in range(20))


async def test_the_trio_thread_itself_is_refused():
    async with running(python("echo", echo)) as (system, _):
        portal = Portal(system)
        with pytest.raises(RuntimeError, match="from a thread"):
            portal.ask("echo", b"x")


def test_a_thread_that_comes_too_late_gets_an_error():
    async def main():
        async with running(python("echo", echo)) as (system, _):
            return Portal(system)

    portal = trio.run(main)
    with pytest.raises(trio.RunFinishedError):
        portal.ask("echo", b"x")


async def test_a_stopped_system_says_so():
    async with running(python("echo", echo)) as (system, _):
        portal = Portal(system)
    with pytest.raises(Unavailable, match="echo/0 is not running: root was stopped at"):
        await in_thread(portal.tell, "echo", b"x")
    with pytest.raises(DeliveryFailed, match=r"the system has ended.*inside the block"):
        await in_thread(portal.ask, "echo", b"x")


def test_a_thread_that_waits_when_the_system_stops_is_woken():
    asked, outcome = threading.Event(), []

    async def never(context, envelope):
        asked.set()
        await trio.sleep_forever()

    def wait_for_ever(portal):
        try:
            portal.ask("never", b"", timeout=1000)
        except BaseException as error:  # noqa: BLE001  # what comes is the question
            outcome.append(type(error))

    async def main():
        async with running(python("never", never, shutdown=0.01)) as (system, _):
            thread = threading.Thread(target=wait_for_ever, args=(Portal(system),))
            thread.start()
            await trio.to_thread.run_sync(asked.wait)
        return thread

    trio.run(main).join()
    assert outcome == [CalleeFailed]
