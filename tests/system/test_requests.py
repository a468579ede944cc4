"""Real guests make requests: each ends in one callback, and nothing is left pending."""

import random
from contextlib import suppress

import pytest
import trio

from airssys import (
    BRUTAL_KILL,
    ActorContext,
    DeadLetter,
    Limits,
    Logged,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import (
    ERROR_TYPE,
    NO_BACKOFF,
    Artifact,
    ChildStarted,
    MessagingError,
)
from airssys.security import everything
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")


def events_of(stream):
    found = []
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            found.append(stream.next_nowait())
    return found


def callbacks(events):
    """Correlation id, sender, content type and payload of each callback, in order."""
    lines = [e.message for e in events if isinstance(e, Logged)]
    return [tuple(line.split("|", 3)) for line in lines]


async def settle():
    for _ in range(5):
        await wait_until_idle(0.002)


class Callee:
    """Does what the payload says."""

    def __init__(self, kept):
        self.kept = kept

    async def handle(self, context: ActorContext, envelope):
        word = envelope.payload
        self.kept.append(envelope)
        match word:
            case b"hang":
                await trio.sleep_forever()
            case b"crash":
                raise ValueError("on purpose")
            case b"twice":
                envelope.reply.answer(b"first")
                return b"second"
            case b"nothing":
                return None
            case b"stop":
                context.stop()
        return word


def plan(kept=None, **options):
    kept = [] if kept is None else kept
    limits = Limits(**options)
    guest = component(
        "g", CALLS, limits=limits, mailbox=2, backoff=NO_BACKOFF, can=everything()
    )
    callee = actor("b", Callee, kept, backoff=NO_BACKOFF, shutdown=BRUTAL_KILL)
    return blueprint(guest, callee, restarts=1000, restart_budget=None)


async def request(system, word, ms=60_000, target="local/b/0"):
    reply = await system.ask(
        "g", f"host-messaging.request\n{target}\n{word}\n{ms}".encode(), timeout=10
    )
    return reply.decode()


async def cancel(system, name):
    return (
        await system.ask("g", f"host-messaging.cancel-request\n{name}".encode())
    ).decode()


def assert_at_rest(system):
    assert system._broker.pending_count == 0
    assert not system._broker.waits.edges()


@pytest.mark.parametrize(
    ("word", "content_type", "payload"),
    [
        ("hello", "-", "hello"),
        ("nothing", "-", ""),
        ("crash", ERROR_TYPE, "delivery-failed\n"),
        ("twice", "-", "first"),
        ("stop", "-", "stop"),
    ],
)
async def test_a_request_ends_in_one_callback(word, content_type, payload):
    kept = []
    async with open_system(plan(kept)) as system:
        events = system.events()
        name = (await request(system, word)).removeprefix("ok:")
        await settle()
        seen = events_of(events)
        ((answered, sender, kind, body),) = callbacks(seen)
        assert (answered, sender, kind) == (name, "local/b/0", content_type)
        assert body == payload or (payload and body.startswith(payload))
        assert kept[0].correlation_id == name
        assert kept[0].deadline is not None
        assert_at_rest(system)
        late = [e for e in seen if isinstance(e, DeadLetter) and "before" in e.why]
        assert len(late) == (word == "twice")


async def test_a_request_that_is_not_answered_in_time_says_so():
    kept = []
    async with open_system(plan(kept)) as system:
        events = system.events()
        for milliseconds in (5 * 4**n for n in range(8)):  # until it is begun in time
            name = (await request(system, "hang", milliseconds)).removeprefix("ok:")
            async for event in events:
                if found := callbacks([event]):
                    break
            if kept:
                break
        assert found[0][::2] == (name, ERROR_TYPE)
        assert found[0][3].startswith("correlation-timeout\n")
        assert kept[0].reply.answer(b"late") is False
        dead = [e for e in events_of(events) if isinstance(e, DeadLetter)]
        assert ["after its request was over" in e.why for e in dead].count(True) == 1
        await settle()
        assert callbacks(events_of(events)) == []
        assert_at_rest(system)


async def test_a_cancelled_request_says_so_and_its_answer_is_a_dead_letter():
    kept = []
    async with open_system(plan(kept)) as system:
        events = system.events()
        name = (await request(system, "hang")).removeprefix("ok:")
        await settle()  # so that it is being handled
        assert await cancel(system, name) == "ok"
        again = await cancel(system, name)
        assert again.startswith("err:invalid-message:no request")
        await settle()
        (found,) = callbacks(events_of(events))
        assert found[0] == name
        assert found[3].startswith("cancelled\n")
        assert kept[0].reply.answer(b"late") is False
        assert [type(e) for e in events_of(events)] == [DeadLetter]
        assert_at_rest(system)


async def test_a_request_that_cannot_be_delivered_is_refused_and_not_pending():
    async with open_system(plan(open_requests=1)) as system:
        missing = await request(system, "x", target="local/x/0")
        assert missing == "err:target-not-found:local/x/0"
        assert (await request(system, "hang")).startswith("ok:")
        refused = await request(system, "hang")
        assert refused.startswith(
            "err:delivery-failed:local/g/0 already has 1 open requests"
        )


async def test_a_request_whose_callback_was_taken_counts_no_longer():
    async with open_system(plan(open_requests=1)) as system:
        for _ in range(3):
            assert (await request(system, "hello")).startswith("ok:")
            await settle()


async def test_a_callback_comes_through_a_full_mailbox():
    async def flooder(context, envelope):
        for _ in range(2):
            context.tell("g", b"host-services.self-name")
        envelope_count = 0
        with suppress(MessagingError):
            while envelope_count < 10:
                context.tell("g", b"host-services.self-name")
                envelope_count += 1
        return str(envelope_count).encode()

    guest = component("g", CALLS, mailbox=2, can=everything())
    async with open_system(blueprint(guest, actor("b", flooder))) as system:
        events = system.events()
        assert (await request(system, "x")).startswith("ok:")
        await settle()
        (found,) = callbacks(events_of(events))
        assert found[3] == "0"


async def test_the_requests_of_a_restarted_guest_are_forgotten():
    kept = []
    async with open_system(plan(kept)) as system:
        events = system.events()
        await request(system, "hang")
        await request(system, "boom", target="local/g/0")
        # It rejects its own request; a callback of `boom` traps it.
        await request(system, "x", target="local/b/0")
        await settle()
        events_of(events)
        kept[0].reply.answer(b"boom")
        await settle()
        seen = events_of(events)
        assert [e for e in seen if isinstance(e, ChildStarted)]
        assert system._broker.pending_count == 0
        kept[0].reply.answer(b"late")
        await settle()
        seen = events_of(events)
        assert callbacks(seen) == []
        assert [type(e) for e in seen] == [DeadLetter]


@pytest.mark.parametrize("seed", range(10))
async def test_nothing_is_pending_after_any_run_with_faults(seed):
    dice = random.Random(seed)
    ids, words = [], ["a", "crash", "hang", "twice", "nothing", "stop"]
    restarts = seed % 2 == 1
    words += ["boom"] * restarts
    async with open_system(plan()) as system:
        events = system.events(100_000)
        for _ in range(60):
            with suppress(MessagingError):
                match dice.randrange(4):
                    case 0 if ids:
                        await cancel(system, dice.choice(ids))
                    case 1:
                        await request(system, "self", target="local/g/0")
                    case _:
                        reply = await request(
                            system, dice.choice(words), dice.choice((0, 2, 20))
                        )
                        if reply.startswith("ok:"):
                            ids.append(reply.removeprefix("ok:"))
        await trio.sleep(0.05)
        await settle()
        assert_at_rest(system)
        answered = [found[0] for found in callbacks(events_of(events))]
        assert len(answered) == len(set(answered)), "one callback at most"
        assert restarts or set(ids) <= set(answered), "and one at least"
    assert_at_rest(system)
