"""Trace and deadline of a message go on in what is sent while it is handled."""

import pytest
import trio

from airssys import (
    DeadLetter,
    InvalidMessage,
    MessageFailed,
    TraceContext,
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
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = TraceContext(PARENT, "vendor=x")
OTHER = TraceContext(PARENT.replace("00f067aa0ba902b7", "b7ad6b7169203331"))


class Keeper:
    """Keeps what it gets."""

    def __init__(self, kept):
        self.kept = kept

    async def started(self, context):
        context.subscribe("news")

    async def handle(self, context, envelope):
        self.kept.append(envelope)
        return b"kept"


async def pass_on(context, envelope):
    way, _, payload = envelope.payload.partition(b" ")
    match way:
        case b"tell" | b"tell-mine":
            if way == b"tell-mine":
                context.trace = OTHER
            context.tell("keeper", payload)
        case b"send":
            await context.send("keeper", payload)
        case b"ask":
            return await context.ask("keeper", payload, timeout=60)
        case b"publish":
            await context.publish("news", payload)
        case b"broadcast":
            await context.broadcast(["keeper"], payload)
        case b"later":
            context.send_after(5, b"tell " + payload)
    return None


GUEST_WAYS = [
    b"host-messaging.send\nlocal/keeper/0\nhi",
    b"host-messaging.ask\nlocal/keeper/0\nhi\n60000",
    b"host-messaging.request\nlocal/keeper/0\nhi",
    b"host-messaging.broadcast\nlocal/keeper/0\nhi\nlocal/keeper/0",
    b"host-messaging.publish\nnews\nhi",
]
WAYS = [
    *[("actor", way + b" hi") for way in (b"tell", b"send", b"ask", b"publish")],
    *[("actor", way + b" hi") for way in (b"broadcast", b"later")],
    *[("guest", way) for way in GUEST_WAYS],
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def plan(kept):
    return blueprint(
        actor("keeper", Keeper, kept),
        actor("actor", pass_on),
        component("guest", CALLS, can=everything()),
    )


async def settle(seconds=0.0):
    await trio.sleep(seconds)
    for _ in range(3):
        await wait_until_idle(0.001)


@pytest.mark.parametrize(("name", "payload"), WAYS)
@pytest.mark.parametrize("begin", ["tell", "send", "ask"])
async def test_a_trace_goes_on(name, payload, begin, autojump_clock, cache):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        done = getattr(system, begin)(name, payload, trace=TRACE)
        if done is not None and begin != "tell":
            await done
        await settle(6)
        system.tell(name, payload)
        await settle(6)
        assert [envelope.trace for envelope in kept] == [TRACE, None]


async def test_a_trace_goes_through_guest_and_actor_and_back(autojump_clock, cache):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        script = b"host-messaging.ask\nlocal/actor/0\nask hi"
        assert await system.ask("guest", script, trace=PARENT) == b"ok:kept"
        assert kept[0].trace == TraceContext(PARENT)


async def test_the_program_publishes_and_broadcasts_with_a_trace(autojump_clock, cache):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        with system.subscribe("news") as listener:
            await system.publish("news", b"", trace=TRACE)
            await system.broadcast(["keeper"], b"", trace=TRACE)
            await settle()
            assert (await anext(listener)).trace == TRACE
        assert [envelope.trace for envelope in kept] == [TRACE, TRACE]


async def test_a_tracer_in_a_handler_sets_a_span_of_its_own(autojump_clock, cache):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        system.tell("actor", b"tell-mine x", trace=TRACE)
        system.tell("actor", b"tell x")
        await settle()
        assert [envelope.trace for envelope in kept] == [OTHER, None]


async def test_what_failed_tells_its_trace(autojump_clock):
    async def fail(context, envelope):
        raise ValueError if envelope.payload else OSError

    failing = actor("a", fail, on_error=((ValueError, Directive.RESUME),))
    async with open_system(blueprint(failing)) as system:
        events = system.events()
        system.tell("a", b"resume", trace=TRACE)
        system.tell("a", b"", trace=OTHER)
        traces = {}
        async for event in events:
            if isinstance(event, (MessageFailed, DeadLetter)):
                traces[type(event)] = event.trace
            if len(traces) == 2:
                break
        assert traces == {MessageFailed: TRACE, DeadLetter: OTHER}


@pytest.mark.parametrize("trace", ["", "00-xyz", b"00", 7, PARENT + "-0"])
async def test_what_is_not_a_trace_is_refused(trace, cache):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        with pytest.raises(InvalidMessage, match="the trace is none"):
            system.tell("keeper", b"", trace=trace)
        for way in ("send", "ask"):
            with pytest.raises(InvalidMessage, match="the trace is none"):
                await getattr(system, way)("keeper", b"", trace=trace)
        assert await system.ask("keeper", b"ok") == b"kept"


@pytest.mark.parametrize(
    ("name", "payload"),
    [("actor", b"ask hi"), ("guest", GUEST_WAYS[1])],
)
async def test_a_deadline_goes_on_in_what_is_asked(
    name, payload, autojump_clock, cache
):
    """In an actor, which is cut off with its asker; a guest's call goes on beyond that."""
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        began = trio.current_time()
        await system.ask(name, payload, timeout=3)
        seconds = 60 if name == "guest" else 3
        assert kept[0].deadline == pytest.approx(began + seconds)
        await system.ask(name, payload, timeout=100)
        assert kept[1].deadline == pytest.approx(trio.current_time() + 60)
        system.tell(name, payload)
        await settle()
        assert kept[2].deadline == pytest.approx(trio.current_time() + 60)


@pytest.mark.parametrize(
    ("name", "payload"),
    [(name, way) for name, way in WAYS if b"ask" not in way and b"later" not in way],
)
async def test_no_deadline_goes_on_in_what_is_not_waited_for(
    name, payload, autojump_clock, cache
):
    kept = []
    async with open_system(plan(kept), cache_directory=cache) as system:
        before = trio.current_time()
        await system.ask(name, payload, timeout=0.5)
        await settle()
        deadline = kept[0].deadline
        # A request has the deadline that its guest gave it.
        expected = before + 1 if b"request" in payload else None
        assert deadline == (expected and pytest.approx(expected))
