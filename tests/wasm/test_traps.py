"""Each way to fail has its reason, at every moment a guest can fail, on every wasmtime.

The moments are those of `wat_guests.failing`, and `start`: while it is instantiated.
"""

import ast

import pytest
import trio

from airssys.contracts import (
    CapacityReached,
    ComponentConfig,
    GuestTrapped,
    TrapReason,
)
from airssys.wasm.engine._traps import failure_of, root_cause
from wasm_support import ScriptedServices, envelope, is_spent_because
from wat_guests.failing import BROKEN_PROMISES, FORGED_NAMES, WAYS_TO_TRAP

PHASES = {
    "start": "instantiate",
    "i": "initialize",
    "m": "handle-message",
    "n": "handle-message",
    "a": "handle-message",
    "p": "handle-message",
    "c": "handle-callback",
    "d": "metadata",
    "h": "health",
    "s": "shutdown",
}
MOMENTS = list(PHASES)[1:]
IN_A_LOOP = "endless-loop"
FAULTS = {
    way: TrapReason[way.replace("-", "_").upper()]
    for way in WAYS_TO_TRAP
    if way != IN_A_LOOP
}


async def call_at(guest, moment):
    """Call what fails at the moment; `initialize` has been called before, but for i."""
    match PHASES[moment]:
        case "initialize":
            await guest.initialize(ComponentConfig(data=b"i"))
        case "handle-message":
            await guest.handle_message(envelope(b"hello"))
        case "handle-callback":
            await guest.handle_callback(envelope(b"hello"))
        case "metadata":
            await guest.metadata()
        case "health":
            await guest.health()
        case "shutdown":
            await guest.shutdown()


async def fail_at(guests, name, moment, **limits):
    """Bring a guest to fail; returns how it failed, after checking what is left."""
    if moment == "start":
        with pytest.raises(GuestTrapped) as caught:
            await guests.make(f"{name}-start", **limits)
        return caught.value
    guest = await guests.make(name, **limits)
    if moment != "i":
        await guest.initialize(ComponentConfig(data=moment.encode()))
    with pytest.raises(GuestTrapped) as caught:
        await call_at(guest, moment)
    assert await is_spent_because(guest, caught.value)
    return caught.value


def test_every_reason_is_tested_here():
    tested = {
        *FAULTS.values(),
        TrapReason.FUEL_EXHAUSTED,
        TrapReason.TIME_LIMIT,
        TrapReason.DEADLINE,
        TrapReason.MEMORY_LIMIT,
        TrapReason.TABLE_LIMIT,
        TrapReason.HOST_ALLOCATION_LIMIT,
        TrapReason.BAD_VALUE,
        TrapReason.HOST_ERROR,
        TrapReason.CANCELLED,
        TrapReason.OTHER,
        TrapReason.EXITED,  # test_wasi.py
        TrapReason.NOT_GRANTED,  # test_wasi.py
        TrapReason.QUOTA,  # tests/security/test_quota_gates.py
    }
    assert tested == set(TrapReason)


@pytest.mark.parametrize("moment", PHASES)
@pytest.mark.parametrize("way", FAULTS)
async def test_a_fault(guests, way, moment):
    failure = await fail_at(guests, f"trap-{way}", moment)
    assert (failure.reason, failure.phase) == (FAULTS[way], PHASES[moment])
    assert failure.text.startswith("wasm trap: ")


@pytest.mark.parametrize("moment", PHASES)
async def test_no_more_fuel(guests, moment):
    failure = await fail_at(guests, "trap-endless-loop", moment, fuel=100_000)
    assert failure.reason is TrapReason.FUEL_EXHAUSTED
    assert failure.phase == PHASES[moment]


@pytest.mark.parametrize("moment", PHASES)
async def test_no_more_time(guests, moment):
    limit = 0.02
    failure = await fail_at(guests, "trap-endless-loop", moment, execution_time=limit)
    assert (failure.reason, failure.phase) == (TrapReason.TIME_LIMIT, PHASES[moment])
    assert "0.02 s (execution_time)" in failure.text


@pytest.mark.parametrize(
    ("promise", "moment"),
    [(promise, moment) for promise, ends in BROKEN_PROMISES.items() for moment in ends]
    + [
        (promise, at)
        for promise in ("bad-realloc", "misaligned-realloc")
        for at in "na"
    ],
)
async def test_a_bad_value(guests, promise, moment):
    failure = await fail_at(guests, f"trap-{promise}", moment)
    assert (failure.reason, failure.phase) == (TrapReason.BAD_VALUE, PHASES[moment])


@pytest.mark.parametrize(
    ("name", "limits", "reason"),
    [
        ("memory-hog-init", {}, TrapReason.MEMORY_LIMIT),
        ("memory-hog-twenty", {"memory_bytes": 20 * 65536}, TrapReason.MEMORY_LIMIT),
        ("multi-memory-hog", {"memory_bytes": 20 * 65536}, TrapReason.MEMORY_LIMIT),
        ("echo", {"memory_bytes": 0}, TrapReason.MEMORY_LIMIT),
        ("table-hog", {"table_elements": 0}, TrapReason.TABLE_LIMIT),
        ("table-hog-twenty", {"table_elements": 19}, TrapReason.TABLE_LIMIT),
    ],
)
async def test_more_than_the_limit_to_be_instantiated(guests, name, limits, reason):
    with pytest.raises(GuestTrapped) as caught:
        await guests.make(name, **limits)
    assert (caught.value.reason, caught.value.phase) == (reason, "instantiate")


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("huge-to-host", 1_048_577),
        ("huge-log", 1_048_577),
        ("huge-list-to-host", 32_769),
        ("huge-return", 1_048_577),
    ],
)
async def test_more_than_the_host_will_keep(guests, name, elements):
    guest = await guests.start(name)
    with pytest.raises(GuestTrapped, match=r"more than 1048576 bytes") as caught:
        await guest.handle_message(envelope(b"%d" % elements))
    assert caught.value.reason is TrapReason.HOST_ALLOCATION_LIMIT
    assert caught.value.phase == "handle-message"
    assert guests.services.calls == []
    assert await is_spent_because(guest, caught.value)


@pytest.mark.parametrize("moment", ["i", "m", "c", "d", "h", "s"])
async def test_a_host_function_fails(guests, moment):
    broken = ScriptedServices()
    guest = await guests.make("lifecycle-log", services=broken)
    if moment != "i":
        await guest.initialize(ComponentConfig())
    broken.answers["log"] = OSError("disk full")
    with pytest.raises(GuestTrapped, match="disk full") as caught:
        await call_at(guest, moment)
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert caught.value.phase == PHASES[moment]
    assert isinstance(caught.value.__cause__, OSError)
    assert await is_spent_because(guest, caught.value)


@pytest.mark.parametrize(
    ("services", "payload", "part"),
    [
        (ScriptedServices(ask=KeyError("lost")), b"host-messaging.ask", "lost"),
        (ScriptedServices(ask="text"), b"host-messaging.ask", "is not a valid bytes"),
        (ScriptedServices(request=7), b"host-messaging.request", "is not a valid str"),
        (ScriptedServices(self_id=None), b"host-messaging.self-id", "NoneType"),
        (
            ScriptedServices(current_time=(-1, 0)),
            b"host-services.current-time",
            "is not a valid u64 @ result.seconds",
        ),
        (ScriptedServices(storage_exists=1), b"storage.exists", "is not a valid bool"),
    ],
)
async def test_a_service_fails_or_gives_what_does_not_fit(
    guests, services, payload, part
):
    guest = await guests.start("calls", services=services)
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope(payload))
    assert caught.value.reason is TrapReason.HOST_ERROR
    assert part in caught.value.text
    assert await is_spent_because(guest, caught.value)


async def cancelled(call):
    with trio.move_on_after(0.03) as scope:
        await call()
    return scope.cancelled_caught


@pytest.mark.parametrize(
    ("name", "moment", "payload"),
    [
        ("loop", "m", b""),
        ("flood", "m", b""),
        ("log-flood", "m", b""),
        ("sleep", "m", b"60000"),
        ("loop-init", "i", b""),
        ("loop-shutdown", "s", b""),
    ],
)
async def test_a_call_is_cancelled(guests, name, moment, payload):
    guest = await guests.make(name)
    if moment != "i":
        await guest.initialize(ComponentConfig())

    async def call():
        if moment == "m":
            await guest.handle_message(envelope(payload))
        else:
            await call_at(guest, moment)

    assert await cancelled(call)
    assert guest.spent.reason is TrapReason.CANCELLED
    assert guest.spent.phase == PHASES[moment]
    assert await is_spent_because(guest)


async def test_an_instantiation_is_cancelled(guests):
    assert await cancelled(lambda: guests.make("loop-start"))
    assert not guests.runtime.engine.ledger.stores


async def test_names_of_a_guest_do_not_forge_the_kind_of_its_failure(guests):
    guest = await guests.start("forged-names")
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope())
    assert caught.value.reason is TrapReason.UNREACHABLE
    assert caught.value.text == "wasm trap: wasm `unreachable` instruction executed"
    assert await is_spent_because(guest, caught.value)


async def test_nor_the_kind_of_a_failed_start(guests):
    with pytest.raises(GuestTrapped) as caught:
        await guests.make("forged-names-start")
    assert caught.value.reason is TrapReason.UNREACHABLE


@pytest.mark.parametrize("name", FORGED_NAMES)
def test_only_the_whole_last_line_says_why(name):
    name = ast.literal_eval(f'"{name}"'.replace("\\00\\1b", "\\0\\x1b"))
    frames = f"error while executing at wasm backtrace:\n    0: 0x1 - {name}!{name}"
    for cause in (
        "wasm trap: interrupt",
        f"a sentence with {name.strip()} in it",
        "wasm trap: not yet known",
    ):
        for text in (
            f"{frames}\n\nCaused by:\n    {cause}",
            f"{frames}\n\nCaused by:\n    0: {name}\n    1: {cause}\n",
        ):
            failure = failure_of(text, "health")
            assert isinstance(failure, GuestTrapped)
            assert failure.reason is TrapReason.OTHER


async def test_what_has_no_name_carries_the_text(guests, monkeypatch):
    monkeypatch.setattr("airssys.wasm.engine._traps._TRAPS", {})
    failure = await fail_at(guests, "trap-unreachable", "m")
    assert failure.reason is TrapReason.OTHER
    assert failure.text == "wasm trap: wasm `unreachable` instruction executed"


async def test_one_failure_leaves_other_guests_alone(guests):
    other = await guests.start("state")
    assert await other.handle_message(envelope()) == b"1"
    await fail_at(guests, "trap-unreachable", "m")
    assert await other.handle_message(envelope()) == b"2"


@pytest.mark.parametrize(
    "text",
    [
        "Cannot allocate memory (os error 12)",
        "out of memory (failed to allocate 4096 bytes)",
    ],
)
def test_a_lack_of_memory_maps_is_not_the_fault_of_the_guest(text):
    failure = failure_of(f"a\n\nCaused by:\n    {text}", "health")
    assert isinstance(failure, CapacityReached)
    assert text in str(failure)
    assert "vm.max_map_count" in str(failure)


def test_the_root_cause_is_the_last_line():
    assert root_cause("error\n 0: x\n\nCaused by:\n    why\n") == "why"
    assert root_cause("error\n\nCaused by:\n    0: one\n    1: two") == "two"
    assert root_cause(" no backtrace ") == "no backtrace"
    assert root_cause("") == ""
    assert str(GuestTrapped(TrapReason.OTHER, "health", "one\ntwo")) == (
        "guest stopped in health: other (one). Fix the guest"
    )
