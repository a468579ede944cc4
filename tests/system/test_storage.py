"""Real guests keep things: across messages and restarts, apart from each other."""

from contextlib import suppress

import pytest
import trio

from airssys import (
    CalleeFailed,
    ChildExited,
    Limits,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import Artifact
from airssys.security import everything
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
SLEEP_TOO_LONG = b"host-services.sleep-millis\n10000"


def caller(name, **limits):
    return component(name, CALLS, limits=Limits(**limits), can=everything())


def drained(stream):
    events = []
    with suppress(trio.WouldBlock):
        while True:
            events.append(stream.next_nowait())
    return events


@pytest.fixture
def call():
    """Ask a guest to call a host function; what came back, as text."""

    async def tell(system, name, *lines):
        return (await system.ask(name, "\n".join(lines).encode())).decode()

    return tell


async def test_a_guest_sets_gets_lists_and_deletes(call):
    async with open_system(blueprint(caller("a"))) as system:
        assert await call(system, "a", "storage.get", "colour") == "ok"
        assert await call(system, "a", "storage.exists", "colour") == "ok:false"
        assert await call(system, "a", "storage.set", "colour", "red") == "ok"
        assert await call(system, "a", "storage.set", "shape", "round") == "ok"
        assert await call(system, "a", "storage.get", "colour") == "ok:red"
        assert await call(system, "a", "storage.exists", "colour") == "ok:true"
        assert await call(system, "a", "storage.list-keys") == "ok:colour,shape"
        assert await call(system, "a", "storage.list-keys", "s") == "ok:shape"
        usage = f"ok:{6 + 3 + 5 + 5} {100 * 2**20} 2"
        assert await call(system, "a", "storage.usage") == usage
        assert await call(system, "a", "storage.delete", "colour") == "ok"
        assert await call(system, "a", "storage.get", "colour") == "ok"


async def test_refusals_are_reported_by_their_case(call):
    guest, other = caller("a", storage_bytes=10), caller("b", storage_keys=1)
    async with open_system(blueprint(guest, other)) as system:
        gone = "err:not-found:colour"
        assert await call(system, "a", "storage.delete") == gone
        bad = await call(system, "a", "storage.get", "k" * 513)
        assert bad.startswith("err:invalid-key:")
        full = "err:quota-exceeded"
        assert await call(system, "a", "storage.set", "colour", "green") == full
        assert await call(system, "a", "storage.set", "colour", "blue") == "ok"
        assert await call(system, "a", "storage.set", "k", "") == full
        assert await call(system, "a", "storage.usage") == "ok:10 10 1"
        assert await call(system, "b", "storage.set", "colour", "green") == "ok"
        assert await call(system, "b", "storage.set", "k", "") == full


async def test_what_is_kept_outlives_a_restart_and_not_the_system(call):
    plan = blueprint(caller("a", execution_time=0.2), caller("b"))
    async with open_system(plan) as system:
        events = system.events()
        await call(system, "a", "storage.set", "colour", "red")
        with pytest.raises(CalleeFailed, match="time limit"):
            await system.ask("a", SLEEP_TOO_LONG)
        assert await call(system, "a", "storage.get", "colour") == "ok:red"
        ends = [e for e in drained(events) if isinstance(e, ChildExited)]
        assert [end.restarting for end in ends] == [True]
        assert await call(system, "b", "storage.get", "colour") == "ok"
    async with open_system(plan) as system:
        assert await call(system, "a", "storage.get", "colour") == "ok"


async def test_a_python_actor_may_stand_beside(call):
    async def relay(context, envelope):
        return await context.ask("a", envelope.payload)

    async with open_system(blueprint(caller("a"), actor("relay", relay))) as system:
        await call(system, "relay", "storage.set", "colour", "red")
        assert await call(system, "relay", "storage.list-keys") == "ok:colour"


async def test_a_listing_that_is_too_large_is_refused_and_a_part_is_not(call):
    async with open_system(blueprint(caller("a", host_call_bytes=1000))) as system:
        for key in range(30):
            assert await call(system, "a", "storage.set", f"{key}", "x") == "ok"
        answer = await call(system, "a", "storage.list-keys")
        assert answer.startswith("err:io-error:30 keys are more than 1000 bytes")
        assert await call(system, "a", "storage.list-keys", "2") == (
            "ok:2," + ",".join(f"2{n}" for n in range(10))
        )
