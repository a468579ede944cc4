"""When an asker stops waiting, what it asked for goes no further."""

from contextlib import suppress

import pytest
import trio

from airssys import (
    AskTimedOut,
    CalleeFailed,
    ChildExited,
    DeadLetter,
    DeadReason,
    MessageFailed,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import NO_BACKOFF
from airssys.security import everything
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")


class Callee:
    """Sleeps, or asks on, and notes how that ended."""

    def __init__(self, log):
        self.log = log

    async def handle(self, context, envelope):
        word, _, rest = envelope.payload.partition(b" ")
        try:
            match word:
                case b"sleep":
                    await trio.sleep(10)
                case b"ask":
                    return await context.ask("b", rest, timeout=60)
                case b"crash":
                    await trio.sleep(1)
                    raise ValueError
                case b"cancel-late":
                    with trio.CancelScope(shield=True):
                        await trio.sleep(2)
        except trio.Cancelled:
            self.log.append((context.self_id.name, word, "cancelled"))
            raise
        self.log.append((context.self_id.name, word, "done"))
        return word


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
async def company(cache, autojump_clock):
    log = []
    plan = blueprint(
        *[actor(name, Callee, log, backoff=NO_BACKOFF) for name in "ab"],
        component("g", GUESTS / "calls.wat", backoff=NO_BACKOFF, can=everything()),
        component("cut", GUESTS / "calls.wat", on_abandoned="cancel", can=everything()),
    )
    async with open_system(plan, cache_directory=cache) as system:
        events = system.events()

        def seen(kind):
            with suppress(trio.WouldBlock):
                while True:
                    found.append(events.next_nowait())
            return [event for event in found if isinstance(event, kind)]

        found = []
        yield system, log, seen
        for name in "ab":
            assert await system.ask(name, b"ping") == b"ping"
        assert await system.ask("g", b"host-messaging.self-id") == b"ok:local/g/0"
        assert system._broker.pending_count == 0
        assert system.waits() == ()


async def ask_and_leave(system, name, payload, after=1, timeout=60):
    with trio.move_on_after(after) as scope:
        await system.ask(name, payload, timeout=timeout)
    assert scope.cancelled_caught


@pytest.mark.parametrize("timeout", [60, float("inf")])
async def test_a_handler_is_cut_off_and_its_actor_keeps_running(
    company, timeout, autojump_clock
):
    system, log, seen = company
    await ask_and_leave(system, "a", b"sleep", timeout=timeout)
    await wait_until_idle()
    assert log == [("a", b"sleep", "cancelled")]
    (failed,) = seen(MessageFailed)
    assert "when its asker stopped waiting" in str(failed.error)
    assert seen(DeadLetter) == []
    assert system.mailbox("a").failed == 1


async def test_what_was_not_taken_yet_is_not_handled(company, autojump_clock):
    system, log, seen = company
    system.tell("a", b"sleep")
    await ask_and_leave(system, "a", b"now?")
    await trio.sleep(10)
    assert log == [("a", b"sleep", "done")]
    (letter,) = seen(DeadLetter)
    assert letter.reason is DeadReason.CANCELLED


async def test_it_goes_on_through_all_that_ask_in_turn(company, autojump_clock):
    system, log, _ = company
    await ask_and_leave(system, "a", b"ask sleep")
    await wait_until_idle()
    assert sorted(log) == [("a", b"ask", "cancelled"), ("b", b"sleep", "cancelled")]


SCRIPT = b"host-messaging.ask\nlocal/a/0\nsleep\n60000"


@pytest.mark.parametrize("timeout", [1, 60])
async def test_it_goes_through_a_guest_whose_call_is_dropped(
    company, timeout, autojump_clock
):
    """When no caller waits for the guest any more it is cut off, and so is what it asks."""
    system, log, seen = company
    with suppress(AskTimedOut), trio.move_on_after(2):
        await system.ask("cut", SCRIPT, timeout=timeout)
    await wait_until_idle()
    assert log == [("a", b"sleep", "cancelled")]
    assert await system.ask("cut", b"host-messaging.self-id") == b"ok:local/cut/0"
    assert seen(ChildExited) == []


async def test_a_guest_goes_on_and_so_do_those_that_it_asks(company, autojump_clock):
    system, log, seen = company
    with pytest.raises(AskTimedOut):
        await system.ask("g", SCRIPT, timeout=1)
    waiting = [(each.waiter.name, each.target.name) for each in system.waits()]
    assert waiting == [("g", "a")]
    await trio.sleep(10)
    assert log == [("a", b"sleep", "done")]
    letters = [each.reason for each in seen(DeadLetter)]
    assert letters == [DeadReason.LATE_ANSWER]
    assert seen(ChildExited) == []


async def test_an_asker_that_crashes_asks_no_more(company, autojump_clock):
    system, log, _ = company

    async def crash():
        await system.supervisor("root").terminate_child("local/a/0")
        await system.supervisor("root").restart_child("local/a/0")

    async with trio.open_nursery() as nursery:
        system.tell("a", b"ask sleep")
        await trio.sleep(1)
        nursery.start_soon(crash)
    await wait_until_idle()
    assert ("b", b"sleep", "cancelled") in log


async def test_a_cancelled_request_goes_no_further(company, autojump_clock):
    system, log, seen = company
    for word in ("sleep", "late"):
        answer = await system.ask(
            "g", f"host-messaging.request\nlocal/a/0\n{word}\n60000".encode()
        )
        name = answer.removeprefix(b"ok:")
        await trio.sleep(0.5)
        if word == "late":
            await system.ask("g", b"host-messaging.cancel-request\n" + name)
        else:
            first = name
    await system.ask("g", b"host-messaging.cancel-request\n" + first)
    await wait_until_idle()
    assert log == [("a", b"sleep", "cancelled")]
    (letter,) = seen(DeadLetter)
    assert letter.reason is DeadReason.CANCELLED


async def test_a_guest_that_has_begun_goes_on(company, autojump_clock):
    system, _, seen = company
    await ask_and_leave(system, "g", b"host-services.sleep-millis\n2000")
    await trio.sleep(2)
    (letter,) = seen(DeadLetter)
    assert letter.reason is DeadReason.LATE_ANSWER
    assert letter.payload == b""


async def test_what_is_shielded_comes_to_its_end(company, autojump_clock):
    system, log, seen = company
    await ask_and_leave(system, "a", b"cancel-late")
    await trio.sleep(2)
    assert log == [("a", b"cancel-late", "done")]
    (letter,) = seen(DeadLetter)
    assert letter.reason is DeadReason.LATE_ANSWER


async def test_the_next_message_is_not_cut_off_instead(company, autojump_clock):
    """The asker leaves in the very step in which its answer is ready, or just after."""
    system, log, _ = company
    for after in (9.9, 10, 10.1):
        with trio.move_on_after(after):
            await system.ask("a", b"sleep", timeout=60)
        assert await system.ask("a", b"ping") == b"ping"
    assert log.count(("a", b"ping", "done")) == 3


async def test_a_crash_is_still_one(company, autojump_clock):
    system, _, seen = company
    with pytest.raises(CalleeFailed):
        await system.ask("a", b"crash")
    (letter,) = seen(DeadLetter)
    assert letter.reason is DeadReason.CRASHED
