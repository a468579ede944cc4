"""What each quota says happens at its edge: that is what happens to a real guest."""

from contextlib import suppress

import pytest
import trio

from airssys import (
    CalleeFailed,
    QuotaExceeded,
    QuotaReached,
    actor,
    blueprint,
    component,
    open_system,
)
from airssys.contracts import (
    QUOTA_RULES,
    AtTheLimit,
    ComponentId,
    Quota,
    Quotas,
    StoppedByQuota,
    TrapReason,
)
from airssys.nursery.metering import GuestMeter, QuotaGate
from airssys.security import everything
from airssys.security.quotas import Account
from airssys.testing import EventList
from pace import PATIENCE
from wasm_support import GUESTS

TINY = {"limit": 1, "at_limit": "end"}
REQUEST = b"host-messaging.request\nlocal/slow/0\nx\n60000"
CALLS = {
    "storage_bytes": [b"storage.set\nkey\nvalue"],
    "messages_per_second": [b"host-messaging.send\nlocal/sink/0\nx"] * 2,
    "open_requests": [REQUEST] * 2,
    "subscriptions": [b"host-messaging.subscribe\nx", b"host-messaging.subscribe\ny"],
    "fan_out": [b"host-messaging.publish\nnews\nx"],
}
"""What goes beyond 1 of each, by messages to `calls.wat`; the last one is the one."""
FLOODS = {
    "host_calls_per_second": ("log-flood", b""),
    "log_bytes_per_second": ("log-flood", b""),
    "cpu_ms_per_second": ("loop", b""),
    "allocation_bytes_per_second": ("send-large-flood", b"100000"),
}
"""Guests that use it without end, and what they are sent."""


async def never(_context, _envelope):
    await trio.sleep_forever()


async def take(_context, _envelope):
    return b""


def system_of(guest, **options):
    tree = blueprint(
        component(
            "a",
            GUESTS / f"{guest}.wat",
            can=everything(),
            restart="temporary",
            shutdown=0.05,
            **options,
        ),
        actor("slow", never, shutdown=0),
        actor("sink", take),
        actor("s1", take, topics=["news"]),
        actor("s2", take, topics=["news"]),
    )
    return open_system(tree)


def test_every_quota_that_can_end_a_guest_is_tried_here():
    ends = {
        name for name, rule in QUOTA_RULES.items() if AtTheLimit.END in rule.actions
    }
    assert ends == {*CALLS, *FLOODS, "network_bytes_per_second"}


@pytest.mark.parametrize("quota", CALLS)
async def test_a_call_beyond_the_edge_ends_the_guest(quota):
    async with system_of("calls", quotas={quota: TINY}) as system:
        *allowed, last = CALLS[quota]
        for call in allowed:
            assert (await system.ask("a", call)).startswith(b"ok")
        with pytest.raises(CalleeFailed) as found:
            await system.ask("a", last)
        assert found.value.error.reason is TrapReason.QUOTA
        assert quota in str(found.value.error)


@pytest.mark.parametrize("quota", CALLS)
async def test_a_call_beyond_the_edge_is_refused_by_an_error_of_its_kind(quota):
    declared = {"limit": 1, "at_limit": "refuse"}
    async with system_of("calls", quotas={quota: declared}) as system:
        *allowed, last = CALLS[quota]
        for call in allowed:
            assert (await system.ask("a", call)).startswith(b"ok")
        answer = await system.ask("a", last)
        if quota == "storage_bytes":
            assert answer == b"err:quota-exceeded"
        else:
            assert answer.startswith(b"err:delivery-failed:quota exceeded: ")
        assert (await system.ask("a", b"host-messaging.self-id")).startswith(b"ok")


@pytest.mark.parametrize("quota", FLOODS)
async def test_what_is_used_beyond_the_edge_ends_the_guest(quota):
    guest, message = FLOODS[quota]
    edge = {**TINY, "limit": 100} if quota == "cpu_ms_per_second" else TINY
    # On a busy machine a start takes more than a millisecond.
    async with system_of(guest, quotas={quota: edge}) as system:
        with trio.fail_after(PATIENCE), pytest.raises(CalleeFailed) as found:
            await system.ask("a", message, timeout=PATIENCE)
        assert found.value.error.reason is TrapReason.QUOTA
        assert quota in str(found.value.error)


# ---------------------------------------------------------------- the network


def meter_of(events, **quota):
    account = Account("local/a/0", quotas={"network_bytes_per_second": Quota(**quota)})
    gate = QuotaGate(account, ComponentId("local", "a"), events, lambda _: None)
    return GuestMeter(gate)


async def test_bytes_on_the_network_hold_a_guest_up(autojump_clock):
    events = EventList()
    meter = meter_of(events, limit=1000, burst=4000)
    for size in (3300, 699):
        meter.note_network(size)
    assert not meter.is_over
    meter.note_network(2001)
    assert meter.is_over, "2,000 bytes more than there were"
    began = trio.current_time()
    await meter.pause()
    assert trio.current_time() - began == pytest.approx(2, abs=0.01)
    assert not meter.is_over
    reached = [e.share for e in events if isinstance(e, QuotaReached)]
    assert reached == [0.8, 0.95, 1.0]


async def test_bytes_on_the_network_end_a_guest(autojump_clock):
    meter = meter_of(EventList(), limit=10, at_limit="end")
    meter.note_network(11)
    assert meter.is_over
    with pytest.raises(StoppedByQuota, match="network_bytes_per_second"):
        await meter.pause()


def test_network_bytes_are_not_refused():
    """What was received cannot be, and a connection that loses bytes is of no use."""
    with pytest.raises(ValueError, match="cannot refuse at its limit"):
        Quotas(network_bytes_per_second=Quota(1, at_limit="refuse"))


# ---------------------------------------------------------------- what is reported


@pytest.mark.parametrize("limit", [20, 645, 10_001])
@pytest.mark.parametrize("action", ["delay", "refuse"])
async def test_each_share_is_reported_once_until_half_is_free(
    autojump_clock, limit, action
):
    """However many messages are taken out of the bucket at once."""

    async def flood(context, _envelope):
        with suppress(QuotaExceeded):
            for _ in range(limit + 300):
                context.tell("sink", b"")
        return b""

    quotas = {"messages_per_second": {"limit": limit, "at_limit": action}}
    tree = blueprint(
        actor("a", flood, quotas=quotas), actor("sink", take, mailbox=20_000)
    )
    async with open_system(tree) as system:
        with system.events() as events:
            await system.ask("a", b"")
            await system.ask("a", b"")
            assert shares(events) == [0.8, 0.95, 1.0]
            await trio.sleep(1)
            await system.ask("a", b"")
            assert shares(events) == [0.8, 0.95, 1.0]


def shares(events):
    found = []
    with suppress(trio.WouldBlock):
        while True:
            event = events.next_nowait()
            if isinstance(event, QuotaReached):
                found.append(event.share)
    return found


async def test_writing_a_key_anew_does_not_count_as_full():
    """Its old value makes room: only a write that is refused reports 100 %."""
    async with system_of("calls", quotas={"storage_bytes": 100}) as system:
        with system.events() as events:
            write = b"storage.set\nk\n"
            for size in (60, 62, 61):
                assert await system.ask("a", write + b"v" * size) == b"ok"
            assert shares(events) == []
            assert await system.ask("a", write + b"v" * 100) == b"err:quota-exceeded"
            assert await system.ask("a", write + b"v" * 100) == b"err:quota-exceeded"
            assert shares(events) == [1.0]


def test_asking_for_room_notes_nothing():
    account = Account("a", quotas={"open_requests": Quota(10)})
    assert account.has_room({"open_requests": 10}, 0)
    assert not account.has_room({"open_requests": 11}, 0)
    assert account.usage(0) == {"open_requests": (0, 10)}
    short = account.reserve({"open_requests": 11}, 0)
    assert [each.share for each in short.warned] == [1.0]
    with pytest.raises(ValueError, match="not a valid amount"):
        account.has_room({"open_requests": -1}, 0)
