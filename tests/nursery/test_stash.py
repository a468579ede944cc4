"""Python actors that set messages aside, to handle them again later."""

import pytest
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    CalleeFailed,
    DeadLetter,
    DeadReason,
    StashFull,
)

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


class Gate:
    """Sets everything aside until it is opened."""

    def __init__(self, log):
        self.log, self.is_open = log, False

    async def handle(self, context, envelope):
        match envelope.payload:
            case b"open":
                self.is_open = True
                context.unstash_all()
            case b"crash":
                raise ValueError("on purpose")
            case b"stash and crash":
                context.stash()
                raise ValueError("on purpose")
            case b"wait":
                await trio.sleep(1)
            case _ if not self.is_open:
                context.stash()
            case payload:
                self.log.append(payload)
                return payload
        return None


async def test_what_was_set_aside_is_handled_again_before_the_rest():
    log = []
    async with running(python("gate", Gate, arguments=(log,))) as (system, _):
        for payload in (b"1", b"2", b"open", b"3"):
            system.tell("gate", payload)
        await trio.testing.wait_all_tasks_blocked()
        assert log == [b"1", b"2", b"3"]
        counts = system.mailbox("gate")
        assert (counts.handled, counts.stashed, counts.queued) == (4, 0, 0)


async def test_an_asker_waits_while_its_message_is_set_aside(autojump_clock):
    async with running(python("gate", Gate, arguments=([],))) as (system, _):
        answers = []

        async def ask():
            answers.append(await system.ask("gate", b"1"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            assert answers == []
            assert system.mailbox("gate").stashed == 1
            system.tell("gate", b"open")
        assert answers == [b"1"]


async def test_what_was_set_aside_survives_a_crash_in_order():
    log = []
    gate = python("gate", Gate, arguments=(log,), backoff=NO_BACKOFF)
    async with running(gate) as (system, _):
        for payload in (b"1", b"2", b"crash"):
            system.tell("gate", payload)
        await trio.testing.wait_all_tasks_blocked()
        system.tell("gate", b"open")
        await trio.testing.wait_all_tasks_blocked()
        assert log == [b"1", b"2"]


async def test_a_message_whose_handler_raises_is_not_set_aside():
    async with running(python("gate", Gate, arguments=([],))) as (system, watch):
        with pytest.raises(CalleeFailed):
            await system.ask("gate", b"stash and crash")
        await trio.testing.wait_all_tasks_blocked()
        assert system.mailbox("gate").stashed == 0
        (letter,) = watch.of(DeadLetter)
        assert letter.reason is DeadReason.CRASHED


async def test_a_stash_is_bounded():
    errors = []

    async def keep(context, envelope):
        try:
            context.stash()
        except StashFull as error:
            errors.append(error)

    async with running(python("keeper", keep, mailbox=2)) as (system, watch):
        for _ in range(3):
            await system.send("keeper", b"")
        await trio.testing.wait_all_tasks_blocked()
        assert [error.capacity for error in errors] == [2]
        assert system.mailbox("keeper").stashed == 2
    assert len(watch.of(DeadLetter)) == 2


async def test_an_actor_that_drains_handles_what_it_takes_back(autojump_clock):
    """All it held when it was asked to stop, and nothing that came after that."""
    log = []
    gate = python("gate", Gate, arguments=(log,), drain=True, mailbox=4)
    async with running(gate) as (system, watch):
        for payload in (b"1", b"2", b"3", b"wait"):
            system.tell("gate", payload)
        await trio.testing.wait_all_tasks_blocked()
        system.tell("gate", b"4")
        system.tell("gate", b"open")
        admin = system.supervisor("root")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(admin.terminate_child, "local/gate/0")
            await trio.testing.wait_all_tasks_blocked()
        assert log == [b"1", b"2", b"3", b"4"]
        assert watch.of(DeadLetter) == []


async def test_what_comes_while_an_actor_drains_is_not_handled(autojump_clock):
    log = []

    async def slow(context, envelope):
        log.append(envelope.payload)
        await trio.sleep(1)

    slow_one = python("slow", slow, drain=True, shutdown=60.0)
    async with running(slow_one) as (system, watch):
        for number in range(3):
            system.tell("slow", b"%d" % number)
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            admin = system.supervisor("root")
            nursery.start_soon(admin.terminate_child, "local/slow/0")
            await trio.sleep(0.5)
            system.tell("slow", b"late")
        assert log == [b"0", b"1", b"2"]
        (letter,) = watch.of(DeadLetter)
        assert letter.size == len(b"late")
