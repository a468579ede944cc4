"""Asking again when the actor that was asked crashes or stops: chosen for each message."""

from itertools import pairwise

import pytest
import trio

from airssys import (
    NO_BACKOFF,
    AskTimedOut,
    Backoff,
    CalleeFailed,
    DeadLetter,
    InvalidMessage,
    NoAnswer,
    TargetNotFound,
    Unavailable,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import Artifact, Directive
from airssys.security import everything
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

CALLS = Artifact.at(GUESTS / "calls.wat")


class Fragile:
    """Crashes that many times, and answers then."""

    def __init__(self, tries, crashes):
        self.tries, self.crashes = tries, crashes

    async def handle(self, context, envelope):
        self.tries.append((trio.current_time(), envelope))
        if envelope.payload == b"refuse":
            raise ValueError
        if envelope.payload == b"stop":
            context.stop()
            raise OSError
        if len(self.tries) <= self.crashes:
            raise OSError
        return b"at last"


async def asker(context, envelope):
    return await context.ask("a", b"hi", retries=int(envelope.payload), timeout=20)


def plan(tries, crashes=0, **options):
    on_error = ((ValueError, Directive.RESUME),)
    options = {"backoff": NO_BACKOFF, "on_error": on_error, **options}
    fragile = actor("a", Fragile, tries, crashes, **options)
    return blueprint(fragile, actor("asker", asker), restarts=1000, restart_budget=None)


async def test_an_asker_fails_at_once_unless_it_says_otherwise(autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes=1)) as system:
        with pytest.raises(CalleeFailed) as failed:
            await system.ask("a", b"hi")
        assert failed.value.reason is NoAnswer.CRASHED
        assert len(tries) == 1


@pytest.mark.parametrize("crashes", [1, 2, 5])
async def test_it_is_asked_again_until_it_answers(crashes, autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes)) as system:
        letters = system.dead_letters()
        assert await system.ask("a", b"hi", retries=5) == b"at last"
        assert len(tries) == crashes + 1
        names = {envelope.correlation_id for _, envelope in tries}
        assert len(names) == len(tries), "each try is a message of its own"
        assert letters.total == crashes
        pauses = [later[0] - one[0] for one, later in pairwise(tries)]
        assert pauses == pytest.approx([0.01 * 2**n for n in range(crashes)])
        assert system._broker.pending_count == 0


async def test_it_is_asked_that_often_and_not_more(autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes=100)) as system:
        with pytest.raises(CalleeFailed):
            await system.ask("a", b"hi", retries=3)
        assert len(tries) == 4


async def test_all_tries_together_have_the_timeout_of_one(autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes=1000)) as system:
        began = trio.current_time()
        with pytest.raises(CalleeFailed):
            await system.ask("a", b"hi", retries=10**9, timeout=10)
        assert 9 <= trio.current_time() - began <= 10
        assert len(tries) < 30
        for _, envelope in tries:
            assert envelope.deadline == pytest.approx(began + 10)


async def test_while_it_is_started_again_its_message_waits_for_it(autojump_clock):
    tries = []
    slow = Backoff(first=3.0)
    async with open_system(plan(tries, crashes=1, backoff=slow)) as system:
        assert await system.ask("a", b"hi", retries=1) == b"at last"
        assert trio.current_time() == pytest.approx(3, abs=0.1)
        tries.clear()
        with pytest.raises(AskTimedOut):
            await system.ask("a", b"hi", retries=1, timeout=1)


async def test_an_error_is_an_answer_and_not_asked_again(autojump_clock):
    tries = []
    async with open_system(plan(tries)) as system:
        with pytest.raises(CalleeFailed) as failed:
            await system.ask("a", b"refuse", retries=5)
        assert failed.value.reason is NoAnswer.REFUSED
        with pytest.raises(TargetNotFound):
            await system.ask("x", b"", retries=5)
        assert len(tries) == 1


async def test_one_that_stops_for_good_is_unavailable_in_the_end(autojump_clock):
    tries = []
    async with open_system(plan(tries, restart="temporary")) as system:
        with pytest.raises(Unavailable, match="a/0 is not running: it ended at"):
            await system.ask("a", b"stop", retries=3)
        assert len(tries) == 1


async def test_one_that_comes_back_under_its_name_is_found_again(autojump_clock):
    """A supervisor that is restarted gives up the names of its children meanwhile."""
    tries, answers = [], []

    async def wait(context, envelope):
        await trio.sleep_forever()

    waiting = blueprint(actor("a", wait, shutdown=0)).root.children[0]
    async with open_system(plan(tries)) as system, trio.open_nursery() as nursery:

        async def ask():
            answers.append(await system.ask("a", b"hi", retries=20))

        async def put(child):
            await admin.terminate_child("local/a/0")
            await trio.sleep(0.5)
            await admin.delete_child("local/a/0")
            await admin.start_child(child)

        admin = system.supervisor("root")
        await put(waiting)
        nursery.start_soon(ask)
        await wait_until_idle()
        await put(plan(tries).root.children[0])
        await trio.sleep(4)
        assert answers == [b"at last"]


async def test_an_actor_asks_again_and_waits_for_no_actor_in_between(autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes=3)) as system:
        assert await system.ask("asker", b"3", timeout=30) == b"at last"
        assert len(tries) == 4
        assert not system._broker.waits.edges()


async def test_a_cancelled_asker_asks_no_more(autojump_clock):
    tries = []
    async with open_system(plan(tries, crashes=1000)) as system:
        with trio.move_on_after(0.5):
            await system.ask("a", b"hi", retries=1000, timeout=1000)
        had = len(tries)
        await trio.sleep(10)
        assert len(tries) == had
        assert system._broker.pending_count == 0


async def test_a_guest_that_is_stopped_is_asked_again(autojump_clock):
    """Its instance is spent at its own limit; the next one answers."""
    limits = {"execution_time": 1}
    guest = component("g", CALLS, backoff=NO_BACKOFF, limits=limits, can=everything())
    async with open_system(blueprint(guest)) as system:

        async def spend():
            with pytest.raises(CalleeFailed, match="execution_time"):
                await system.ask("g", b"host-services.sleep-millis\n9000")

        events = system.events()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spend)
            await trio.sleep(0.5)
            answer = await system.ask("g", b"host-messaging.self-id", retries=2)
        assert answer == b"ok:local/g/0"
        assert any(isinstance(events.next_nowait(), DeadLetter) for _ in range(3))


@pytest.mark.parametrize("retries", [-1, 1.5, "2", None, True])
async def test_what_is_not_a_number_of_retries_is_refused(retries, autojump_clock):
    tries = []
    async with open_system(plan(tries)) as system:
        with pytest.raises(InvalidMessage, match="retries"):
            await system.ask("a", b"hi", retries=retries)
        assert tries == []
        assert await system.ask("a", b"hi") == b"at last"
