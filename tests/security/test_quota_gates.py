"""Real guests and Python actors come to the limits of their quotas.

The attacks, by their CWE: floods of messages and of host calls (CWE-770), uncontrolled
use of memory and processor (CWE-400), bursts at the edge of a window, a drain by many at
once (CWE-362), and a bucket that is fresh after a restart (CWE-799).
"""

import math
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import MockClock

from airssys import (
    CalleeFailed,
    DefinitionError,
    InvalidMessage,
    Logged,
    QuotaExceeded,
    QuotaReached,
    Quotas,
    StoppedByQuota,
    TargetNotFound,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    pool,
    render,
    supervisor,
)
from airssys.contracts import DEFAULT_QUOTAS, MIB, Artifact, Started, TrapReason
from airssys.security import everything
from airssys.testing import wait_until_idle
from pace import PATIENCE
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
ALL = {"can": everything()}
SEND = b"host-messaging.send\nlocal/sink/0\nx"


class Sink:
    """Notes when messages come."""

    def __init__(self, times):
        self.times = times

    async def handle(self, context, envelope):
        self.times.append(trio.current_time())
        return b"taken"


def guest(name="a", **quotas):
    return component(name, CALLS, quotas=quotas, **ALL)


@asynccontextmanager
async def system_of(*children, **options):
    times = []
    tree = blueprint(*children, actor("sink", Sink, times, mailbox=10_000), **options)
    async with open_system(tree) as system:
        with system.events() as events:
            yield system, times, events


def reported(events):
    found = []
    while True:
        try:
            event = events.next_nowait()
        except trio.WouldBlock:
            return found
        if isinstance(event, QuotaReached):
            found.append((event.account, event.quota, event.share))


def clock():
    return MockClock(autojump_threshold=0)


@pytest.fixture
def autojump_clock():
    return clock()


async def test_messages_are_delayed_until_the_bucket_has_room(autojump_clock):
    quota = {"limit": 10, "burst": 5}
    async with system_of(guest(messages_per_second=quota)) as (system, times, _):
        began = trio.current_time()
        for _ in range(25):
            assert await system.ask("a", SEND) == b"ok"
        await wait_until_idle()
        passed = [round(time - began, 3) for time in times]
    assert passed == [0.0] * 5 + [round(n / 10, 3) for n in range(1, 21)]


async def test_no_window_has_more_than_burst_and_rate(autojump_clock):
    quota = {"limit": 10, "burst": 5}
    async with system_of(guest(messages_per_second=quota)) as (system, times, _):
        for pause in (0, 0.9, 0.1, 0.999, 0.002, 3, 0):
            await trio.sleep(pause)
            for _ in range(8):
                await system.ask("a", SEND)
    for number, began in enumerate(times):
        for count, end in enumerate(times[number:], 1):
            assert count <= 5 + 10 * (end - began) + 1e-6


@pytest.mark.parametrize("call", [SEND, SEND.replace(b"send", b"ask") + b"\n5000"])
async def test_messages_are_refused_where_that_is_declared(autojump_clock, call):
    quota = {"limit": 1, "burst": 3, "at_limit": "refuse"}
    async with system_of(guest(messages_per_second=quota)) as (system, times, events):
        answers = [await system.ask("a", call) for _ in range(5)]
        assert all(answer.startswith(b"ok") for answer in answers[:3])
        for answer in answers[3:]:
            assert answer.startswith(b"err:delivery-failed:quota exceeded: ")
        assert len(times) == 3
        assert ("local/a/0", "messages_per_second", 1.0) in reported(events)
        await trio.sleep(1)
        assert (await system.ask("a", call)).startswith(b"ok")


async def test_a_guest_is_ended_with_the_reason_and_gets_no_fresh_bucket(
    autojump_clock,
):
    quota = {"limit": 1, "burst": 2, "at_limit": "end"}
    async with system_of(guest(messages_per_second=quota), restarts=100) as (
        system,
        times,
        _,
    ):
        for _ in range(2):
            await system.ask("a", SEND)
        for _ in range(3):
            with pytest.raises(CalleeFailed) as found:
                await system.ask("a", SEND)
            assert found.value.error.reason is TrapReason.QUOTA
            await wait_until_idle()
        assert len(times) == 2
        await trio.sleep(1)
        assert await system.ask("a", SEND) == b"ok"


async def test_a_replacement_gets_no_fresh_bucket(autojump_clock):
    quota = {"limit": 1, "burst": 2, "at_limit": "refuse"}
    async with system_of(guest(messages_per_second=quota)) as (system, _, _):
        for _ in range(2):
            assert await system.ask("a", SEND) == b"ok"
        await system.replace("a", Artifact.at(GUESTS / "calls.wat"))
        assert (await system.ask("a", SEND)).startswith(b"err")


async def test_the_restart_of_a_supervisor_gives_no_fresh_bucket(autojump_clock):
    quota = {"limit": 1, "burst": 2, "at_limit": "refuse"}
    below = supervisor("below", guest(messages_per_second=quota))
    async with system_of(below) as (system, _, _):
        for _ in range(2):
            assert await system.ask("a", SEND) == b"ok"
        await system.supervisor("root").terminate_child("below")
        await system.supervisor("root").restart_child("below")
        assert (await system.ask("a", SEND)).startswith(b"err")


async def test_a_sum_stops_a_crowd_and_others_go_on(autojump_clock):
    quota = {"messages_per_second": {"limit": 5, "burst": 10, "at_limit": "refuse"}}
    crowd = [guest(f"c{number}") for number in range(6)]
    tree = (supervisor("crowd", *crowd, quotas=quota), guest("free"))
    async with system_of(*tree) as (system, times, events):
        done = []

        async def flood(name):
            for _ in range(5):
                answer = await system.ask(name, SEND)
                done.append(answer.startswith(b"ok"))

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(flood, f"c{number}")
        assert done.count(True) == 10
        assert len(times) == 10
        for _ in range(20):
            assert await system.ask("free", SEND) == b"ok"
        shares = [share for name, _, share in reported(events) if name == "root/crowd"]
        assert shares == [0.8, 0.95, 1.0]


async def test_those_that_wait_for_a_sum_each_get_their_turn(autojump_clock):
    quota = {"messages_per_second": {"limit": 10, "burst": 1}}
    crowd = [guest(f"c{number}") for number in range(20)]
    async with system_of(supervisor("crowd", *crowd, quotas=quota)) as (
        system,
        times,
        _,
    ):
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(system.ask, f"c{number}", SEND)
        assert [round(time - times[0], 3) for time in times] == [
            round(n / 10, 3) for n in range(20)
        ]


async def test_who_stops_waiting_gives_its_turn_back(autojump_clock):
    quota = {"messages_per_second": {"limit": 1, "burst": 1}}

    async def sender(context, envelope):
        await context.send("sink", b"x")
        return b""

    people = [actor(f"p{number}", sender) for number in range(3)]
    async with system_of(supervisor("crowd", *people, quotas=quota)) as (
        system,
        times,
        _,
    ):
        await system.ask("p0", b"")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.ask, "p1", b"")
            await wait_until_idle()
            with trio.move_on_after(0.5):
                await system.ask("p2", b"")
        await system.ask("p2", b"")
        assert [round(time - times[0], 3) for time in times] == [0, 1, 2]


async def test_a_python_actor_that_cannot_wait_is_refused(autojump_clock):
    seen = []

    async def teller(context, envelope):
        for _ in range(4):
            try:
                context.tell("sink", b"x")
                seen.append(True)
            except QuotaExceeded as error:
                seen.append(error.wait)
        return b""

    quotas = {"messages_per_second": {"limit": 2, "burst": 3}}
    async with system_of(actor("t", teller, quotas=quotas)) as (system, times, _):
        await system.ask("t", b"")
    assert seen == [True, True, True, pytest.approx(0.5)]
    assert len(times) == 3


async def test_a_python_actor_is_stopped(autojump_clock):
    async def teller(context, envelope):
        context.tell("sink", b"x")
        return b""

    quotas = {"messages_per_second": {"limit": 2, "burst": 1, "at_limit": "end"}}
    async with system_of(actor("t", teller, quotas=quotas)) as (system, _, _):
        await system.ask("t", b"")
        with pytest.raises(CalleeFailed) as found:
            await system.ask("t", b"")
        assert isinstance(found.value.error, StoppedByQuota)


async def catching(context, _envelope):
    with suppress(StoppedByQuota):
        await context.send("sink", b"x")
    return b"went on"


def catching_plainly(context, _envelope):
    with suppress(StoppedByQuota):
        context.tell("sink", b"x")
    return b"went on"


async def catching_at_once(context, _envelope):
    with suppress(StoppedByQuota):
        context.tell("sink", b"x")
    return b"went on"


@pytest.mark.parametrize("code", [catching, catching_plainly, catching_at_once])
async def test_an_actor_that_catches_its_end_is_stopped_all_the_same(
    code, autojump_clock
):
    quotas = {"messages_per_second": {"limit": 2, "burst": 1, "at_limit": "end"}}
    async with system_of(actor("t", code, quotas=quotas)) as (system, _, _):
        assert await system.ask("t", b"") == b"went on"
        with pytest.raises(CalleeFailed) as found:
            await system.ask("t", b"")
        assert isinstance(found.value.error, StoppedByQuota)
        await trio.sleep(1)  # the next incarnation is not ended for what that one did
        assert await system.ask("t", b"") == b"went on"


async def test_requests_subscriptions_and_fan_out():
    quotas = {"open_requests": 2, "subscriptions": 2, "fan_out": 1}
    async with system_of(guest(**quotas)) as (system, _, _):
        slow = b"host-messaging.request\nlocal/a/0\nx\n60000"
        answers = [await system.ask("a", slow) for _ in range(1)]
        assert answers[0].startswith(b"ok")
        for topic in (b"x", b"y"):
            call = b"host-messaging.subscribe\n" + topic
            assert (await system.ask("a", call)).startswith(b"ok")
        refused = await system.ask("a", b"host-messaging.subscribe\nz")
        assert refused.startswith(b"err:delivery-failed")
        assert b"subscriptions" in refused
        await system.ask("a", b"host-messaging.unsubscribe\nx")
        assert (await system.ask("a", b"host-messaging.subscribe\nz")).startswith(b"ok")
        publish = b"host-messaging.publish\nnews\nx"
        with system.subscribe("news"):
            assert (await system.ask("a", publish)).startswith(b"ok")
            with system.subscribe("news.#"), system.subscribe("#"):
                refused = await system.ask("a", publish)
                assert b"fan_out" in refused


async def test_storage_is_summed_and_given_back():
    quotas = {"storage_bytes": 100}
    tree = supervisor("s", guest("a"), guest("b"), quotas=quotas)
    async with system_of(tree) as (system, _, _):

        async def store(name, key, size):
            value = b"v" * size
            return await system.ask(name, b"storage.set\n%s\n%s" % (key, value))

        assert (await store("a", b"k", 59)).startswith(b"ok")
        assert await store("b", b"k", 59) == b"err:quota-exceeded"
        assert (await store("b", b"k", 29)).startswith(b"ok")
        assert (await store("b", b"k", 39)).startswith(b"ok")
        assert (await store("a", b"k", 59)).startswith(b"ok")
        assert await store("a", b"l", 0) == b"err:quota-exceeded"
        assert (await store("a", b"k", 10)).startswith(b"ok")
        assert system.usage("root/s")["storage_bytes"] == (51, 100)
        assert (await system.ask("b", b"storage.delete\nk")).startswith(b"ok")
        assert system.usage("root/s")["storage_bytes"] == (11, 100)
        assert system.usage("a")["storage_bytes"] == (11, 100 * MIB)


async def test_memory_is_summed_at_the_start():
    limits = {"memory_bytes": 16 * MIB}
    small = component("small", CALLS, limits=limits, **ALL)
    quotas = {"memory_bytes": 40 * MIB}
    many = dynamic_supervisor("many", small, quotas=quotas)
    async with system_of(many) as (system, _, _):
        children = system.supervisor("root/many")
        for _ in range(2):
            started = await children.start_from_template()
            assert isinstance(started, Started)
        refused = await children.start_from_template()
        assert isinstance(refused.reason.error, QuotaExceeded)
        assert system.usage("root/many")["memory_bytes"] == (32 * MIB, 40 * MIB)
        await children.terminate_child(started.child)
        assert isinstance(await children.start_from_template(), Started)


def test_wrong_quotas_are_found_with_their_lines():
    wrong = {"messages_per_secnd": 1, "fan_out": -1, "cpu_ms_per_second": 1.5}
    with pytest.raises(DefinitionError) as found:
        blueprint_with(quotas=wrong)
    texts = [str(mistake) for mistake in found.value.mistakes]
    assert len(texts) == 3
    assert all("test_quota_gates.py" in text for text in texts)
    assert "did you mean messages_per_second?" in texts[0] + texts[1] + texts[2]


def blueprint_with(quotas):
    async def main():
        async with open_system(blueprint(component("a", CALLS, quotas=quotas))):
            pass

    trio.run(main)


FLOODS = [
    ("log-flood", b"", {"log_bytes_per_second": {"limit": 1000, "burst": 2000}}),
    ("log-flood", b"", {"host_calls_per_second": {"limit": 100, "burst": 200}}),
    ("get-flood", b"1000", {"host_calls_per_second": {"limit": 100, "burst": 200}}),
    ("publish-flood", b"", {"messages_per_second": {"limit": 100, "burst": 200}}),
    ("subscribe-flood", b"9", {"host_calls_per_second": {"limit": 100, "burst": 200}}),
    (
        "send-large-flood",
        b"100000",
        {"allocation_bytes_per_second": {"limit": MIB, "burst": 2 * MIB}},
    ),
    ("loop", b"", {"cpu_ms_per_second": {"limit": 20, "burst": 40}}),
]
IDS = [f"{name}-{next(iter(quotas))}" for name, _, quotas in FLOODS]


@pytest.mark.parametrize(("name", "payload", "quotas"), FLOODS, ids=IDS)
async def test_a_flood_is_held_up_and_others_go_on(name, payload, quotas):
    """On the real clock: the guest is paused most of the time."""
    code = Artifact.at(GUESTS / f"{name}.wat")
    flood = component("flood", code, quotas=quotas, shutdown=0.05, **ALL)
    async with system_of(flood, guest("other")) as (system, _, events):
        system.tell("flood", payload)
        (quota,) = quotas
        most = quotas[quota]["burst"]
        full = ("local/flood/0", quota, 1.0)
        with trio.fail_after(PATIENCE):
            while full not in reported(events):  # noqa: ASYNC110  # as they come
                await trio.sleep(0.01)
            for _ in range(5):
                assert await system.ask("other", SEND) == b"ok"
        used, limit = system.usage("flood")[quota]
        assert limit == most
        assert used <= 2 * most + 1000


@pytest.mark.parametrize(
    ("name", "quota"),
    [("log-flood", "host_calls_per_second"), ("loop", "cpu_ms_per_second")],
)
async def test_a_flood_can_be_ended(name, quota):
    code = Artifact.at(GUESTS / f"{name}.wat")
    quotas = {quota: {"limit": 50, "burst": 50, "at_limit": "end"}}
    flood = component("flood", code, quotas=quotas, restart="temporary", **ALL)
    async with system_of(flood) as (system, _, _):
        with trio.fail_after(PATIENCE), pytest.raises(CalleeFailed) as found:
            await system.ask("flood", b"", timeout=PATIENCE)
        assert found.value.error.reason is TrapReason.QUOTA


async def test_lines_are_dropped_where_that_is_declared():
    code = Artifact.at(GUESTS / "huge-log.wat")
    quotas = {"log_bytes_per_second": {"limit": 1, "burst": 250, "at_limit": "refuse"}}
    async with system_of(component("a", code, quotas=quotas, **ALL)) as (
        system,
        _,
        events,
    ):
        for _ in range(4):
            await system.ask("a", b"100")
        lines = 0
        with suppress(trio.WouldBlock):
            while True:
                lines += isinstance(events.next_nowait(), Logged)
        assert lines == 2


async def test_the_memory_of_a_guest_is_lowered_to_its_quota():
    code = Artifact.at(GUESTS / "memory-hog.wat")
    quotas = {"memory_bytes": MIB}
    small = component("small", code, quotas=quotas, **ALL)
    async with system_of(small, component("large", code, **ALL)) as (system, _, _):
        assert await system.ask("large", b"100") != await system.ask("small", b"100")


async def test_the_tree_shows_usage_and_sums(autojump_clock):
    plain = supervisor("plain", guest("a"), guest("b"))
    bounded = supervisor("bounded", guest("c"), quotas={"messages_per_second": 10})
    async with system_of(plain, bounded) as (system, _, _):
        for name in ("a", "b", "c"):
            await system.ask(name, b"storage.set\nk\n123")
        for _ in range(9):
            await system.ask("c", SEND)
        tree = system.tree()
        usage = {
            (node.name, each.quota): (each.used, each.limit)
            for node in tree.walk()
            for each in node.usage
        }
        assert usage["local/a/0", "storage_bytes"] == (4, 100 * MIB)
        assert usage["plain", "storage_bytes"] == (8, math.inf)
        assert usage["root", "storage_bytes"] == (12, math.inf)
        assert usage["bounded", "messages_per_second"] == (9, 10)
        assert "uses 90% of messages_per_second" in render(tree)
        assert set(system.usage("a")) == set(DEFAULT_QUOTAS.named)
        for name in ("sink", "root/plain", "root/nowhere", "root", "root/a/0"):
            with pytest.raises(InvalidMessage, match=f"no quota limits {name}"):
                system.usage(name)
        with pytest.raises(TargetNotFound, match="no actor is called local/x/0"):
            system.usage("x")
        with pytest.raises(InvalidMessage):
            system.usage("a b/c/d/e")


async def test_members_of_a_pool_share_its_quotas(autojump_clock):
    quotas = {"messages_per_second": {"limit": 1, "burst": 4, "at_limit": "refuse"}}
    member = pool("p", component("m", CALLS, **ALL), size=3, quotas=quotas)
    async with system_of(member) as (system, _, _):
        answers = [await system.ask("p", SEND) for _ in range(6)]
        assert [answer.startswith(b"ok") for answer in answers] == [True] * 4 + [
            False
        ] * 2


async def test_a_drain_by_many_at_once_takes_no_more_than_there_is(autojump_clock):
    async def drain(context, envelope):
        done = []

        async def one():
            with suppress(QuotaExceeded):
                await context.send("sink", b"x")
                done.append(1)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(one)
        return str(len(done)).encode()

    quotas = {"messages_per_second": {"limit": 1, "burst": 7, "at_limit": "refuse"}}
    drains = [actor(f"d{number}", drain) for number in range(4)]
    async with system_of(supervisor("s", *drains, quotas=quotas)) as (system, times, _):
        counts = []

        async def ask(name):
            counts.append(int(await system.ask(name, b"")))

        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(ask, f"d{number}")
        assert sum(counts) == len(times) == 7


async def test_a_broadcast_reaches_no_more_than_its_fan_out(autojump_clock):
    async def caller(context, envelope):
        outcomes = await context.broadcast(["a", "b", "c", "sink"], b"x")
        return " ".join(map(str, outcomes)).encode()

    quotas = {"fan_out": 2}
    others = [actor(name, Sink, []) for name in "abc"]
    async with system_of(actor("t", caller, quotas=quotas), *others) as (
        system,
        times,
        _,
    ):
        refused = await system.ask("t", b"")
        assert refused.count(b"/") == 4 or b"c" in refused
        assert times == []


def test_nothing_overflows_where_quotas_are_declared():
    for bad in (-1, 2**53 + 1, 2**64, 10**400, math.nan, -math.inf, True, "1", [1]):
        with pytest.raises(ValueError, match="quota"):
            Quotas(messages_per_second=bad)
    assert Quotas(messages_per_second=math.inf).named == {}
