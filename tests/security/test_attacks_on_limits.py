"""Attacks on quotas, with real components where a component can try them.

The predecessor counted in two steps that others could come between, and its numbers
wrapped. Each test names its CWE and its place in the OWASP Top 10 of 2021. The floods and
drains of `test_quota_gates.py` belong here too: messages and host calls (CWE-770), memory
and processor (CWE-400), a burst at the edge of a window (CWE-799), many at once (CWE-362).
"""

import math
from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from airssys import (
    ComponentId,
    QuotaExceeded,
    Started,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    supervisor,
)
from airssys.contracts import MIB, Artifact, Quota, StorageRefused
from airssys.nursery.metering import MeteredKeyspace, QuotaGate
from airssys.security import everything, send, store
from airssys.security.audit import AuditLog, files_of, lines_of
from airssys.security.quotas import Account, Reservation, Shortage
from airssys.storage import MemoryStorage
from wasm_support import GUESTS

CALLS = Artifact.at(GUESTS / "calls.wat")
LARGEST = 2**64 - 1


@pytest.fixture
def autojump_clock():
    return MockClock(autojump_threshold=0)


def call(*lines):
    return "\n".join(lines).encode()


async def taken(_context, _envelope):
    return b"taken"


def guest(name="a", **options):
    return component(name, CALLS, **({"can": everything()} | options))


# -- the predecessor's cases b5 and b6


async def test_b5_what_does_not_fit_is_refused_and_recorded(tmp_path):
    """A04 Insecure design, CWE-770: 512 bytes of 1,024 are used, and 600 more are wanted."""
    path = tmp_path / "audit"
    tree = blueprint(guest(can=[store("**")], quotas={"storage_bytes": 1024}))
    async with open_system(tree, audit=AuditLog(path)) as system:
        assert await system.ask("a", call("storage.set", "k", "v" * 511)) == b"ok"
        refused = await system.ask("a", call("storage.set", "l", "v" * 599))
        assert refused == b"err:quota-exceeded"
        assert system.usage("a")["storage_bytes"] == (512, 1024)
        assert await system.ask("a", call("storage.get", "l")) == b"ok"  # is not there
        assert await system.ask("a", call("storage.set", "l", "v" * 511)) == b"ok"
        refused = await system.ask("a", call("storage.set", "m", ""))
        assert refused == b"err:quota-exceeded"
    lines = [line for file in files_of(path) for line in lines_of(file)]
    denied = [line for line in lines if '"denied"' in line]
    assert len(denied) == 2
    assert all('"resource":"storage_bytes"' in line for line in denied)


@pytest.mark.parametrize(
    "amount", [LARGEST, LARGEST // 2, LARGEST - 511, 2**63, 2**200]
)
@pytest.mark.parametrize("used", [0, 1, 512, 1024])
def test_b6_no_amount_wraps(amount, used):
    """A04, CWE-190: the sum of what is used and what is wanted has no upper end."""
    account = Account("a", quotas={"storage_bytes": Quota(1024)})
    assert isinstance(account.reserve({"storage_bytes": used}, 0), Reservation)
    assert isinstance(account.reserve({"storage_bytes": amount}, 0), Shortage)
    assert account.usage(0)["storage_bytes"] == (used, 1024)
    account.give_back("storage_bytes", amount)
    assert account.usage(0)["storage_bytes"] == (0, 1024)  # and not below


@pytest.mark.parametrize(
    "timeout", ["0", "18446744073709551615", "9223372036854775808"]
)
async def test_b6_no_time_wraps(timeout):
    """A04, CWE-190: a guest passes all 64 bits of a time; what waits can be cancelled."""

    async def forever(_context, _envelope):
        await trio.sleep_forever()

    async with open_system(blueprint(guest(), actor("b", forever))) as system:
        made = await system.ask(
            "a", call("host-messaging.request", "local/b/0", "x", timeout)
        )
        assert made.startswith((b"ok:", b"err:"))
        if made.startswith(b"ok:") and timeout != "0":
            name = made.decode().removeprefix("ok:")
            cancel = call("host-messaging.cancel-request", name)
            assert await system.ask("a", cancel) == b"ok"


# -- who is counted


@pytest.mark.parametrize("way", ["other", "again", "deleted"])
async def test_no_way_of_starting_again_gives_a_fresh_bucket(way, autojump_clock):
    """A04, CWE-799: another name below the same supervisor, the same one, a given-up one."""
    own = {"messages_per_second": {"limit": 1, "burst": 2, "at_limit": "refuse"}}
    tree = blueprint(
        supervisor("s", guest(quotas=own), quotas=own), actor("sink", taken)
    )
    out = call("host-messaging.send", "local/sink/0", "x")
    async with open_system(tree) as system:
        below = system.supervisor("root/s")
        assert [await system.ask("a", out) for _ in range(2)] == [b"ok"] * 2
        name = "a"
        if way == "other":
            name = "b"
            assert isinstance(await below.start_child(guest("b", quotas=own)), Started)
        else:
            await below.terminate_child("local/a/0")
            if way == "deleted":
                await below.delete_child("local/a/0")
                answer = await below.start_child(guest(quotas=own))
            else:
                answer = await below.restart_child("local/a/0")
            assert isinstance(answer, Started)
        assert (await system.ask(name, out)).startswith(b"err:delivery-failed")
        await trio.sleep(1)
        assert await system.ask(name, out) == b"ok"


async def test_many_short_lived_children_share_one_sum(autojump_clock):
    """A04, CWE-770: each child has a name of its own, which was never counted before."""
    sums = {"messages_per_second": {"limit": 1, "burst": 5, "at_limit": "refuse"}}
    template = dynamic_supervisor("many", guest("m"), quotas=sums)
    out = call("host-messaging.send", "local/sink/0", "x")
    async with open_system(blueprint(template, actor("sink", taken))) as system:
        children, passed = system.supervisor("root/many"), 0
        for _ in range(8):
            started = await children.start_from_template()
            for _ in range(2):
                passed += await system.ask(started.child, out) == b"ok"
            await children.terminate_child(started.child)
        assert passed == 5


async def test_a_hundred_children_that_give_up_waiting_drain_nothing(autojump_clock):
    """A04, CWE-362: what a cancelled sender had taken is there for the others."""
    passed, given_up = [], []

    async def count(_context, _envelope):
        passed.append(trio.current_time())

    async def hasty(context, envelope):
        number = int(envelope.payload)
        with trio.move_on_after(number % 7) as scope:
            await context.send("sink", b"x")
        if scope.cancelled_caught:
            given_up.append(number)

    sums = {"messages_per_second": {"limit": 4, "burst": 8}}
    names = [f"c{number}" for number in range(100)]
    tree = blueprint(
        supervisor("many", *(actor(name, hasty) for name in names), quotas=sums),
        actor("sink", count, mailbox=1000),
    )
    async with open_system(tree) as system:
        began = trio.current_time()
        for number, name in enumerate(names):
            system.tell(name, str(number).encode())
        await trio.sleep(60)
        assert len(passed) + len(given_up) == 100
        assert given_up
        for end in passed:
            assert sum(time <= end for time in passed) <= 8 + 4 * (end - began) + 1e-6
        assert system.usage("root/many")["messages_per_second"][0] == 0
        before = len(passed)
        for name in names[6::7][:8]:  # the whole burst is there again
            system.tell(name, b"6")
        await trio.sleep(0.001)
        assert len(passed) == before + 8


async def test_who_relays_pays_for_it(autojump_clock):
    """A01 Broken access control, CWE-441: a deputy's messages come out of its own quota."""
    quota = {"messages_per_second": {"limit": 1, "burst": 3, "at_limit": "refuse"}}

    async def relay(context, envelope):
        try:
            await context.send("sink", envelope.payload)
        except QuotaExceeded:
            return b"no"
        return b"yes"

    relays = actor("relay", relay, quotas=quota)
    tree = blueprint(relays, guest(), actor("sink", taken))
    asked = call("host-messaging.ask", "local/relay/0", "x", "5000")
    async with open_system(tree) as system:
        answers = [await system.ask("a", asked) for _ in range(5)]
        assert answers == [b"ok:yes"] * 3 + [b"ok:no"] * 2
        assert system.usage("relay")["messages_per_second"][0] == 3


async def test_names_that_join_to_the_same_text_are_apart():
    """A01, CWE-1289: `ab/c` and `a/bc` share neither a store, nor grants, nor quotas."""
    names = ["ab/c/0", "a/bc/0", "local/abc/0", "abc/0/0"]
    tree = blueprint(*(guest(name, can=[store("**"), send(name)]) for name in names))
    async with open_system(tree) as system:
        for name in names:
            assert await system.ask(name, call("storage.set", "k", name)) == b"ok"
        for name in names:
            found = await system.ask(name, call("storage.get", "k"))
            assert found == f"ok:{name}".encode()
            assert system.usage(name)["storage_bytes"][0] == 1 + len(name)
            for other in set(names) - {name}:
                sent = await system.ask(name, call("host-messaging.send", other, "x"))
                assert sent.startswith(b"err:")


# -- what is stored, in any order


STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from("abé"), st.integers(0, 30)),
    st.tuples(st.just("delete"), st.sampled_from("abé"), st.just(0)),
    st.tuples(st.just("anew"), st.just(""), st.just(0)),
)


@settings(max_examples=max(60, settings.default.max_examples))
@given(st.lists(STEPS, max_size=12))
def test_no_order_of_writing_and_deleting_stores_uncounted_bytes(steps):
    """A04, CWE-191 and CWE-415: overwritten, deleted twice, and opened again."""

    async def walk():
        storage, account = (
            MemoryStorage(),
            Account("a", quotas={"storage_bytes": Quota(40)}),
        )

        def opened():
            gate = QuotaGate(account, ComponentId("local", "a"), print, print)
            keys = storage.keyspace(
                ComponentId("local", "a"), max_bytes=MIB, max_keys=9
            )
            return MeteredKeyspace(keys, gate)

        keys = opened()
        for what, key, size in steps:
            with suppress(StorageRefused):
                if what == "set":
                    keys.set(key, b"v" * size)
                elif what == "delete":
                    keys.delete(key)
                else:
                    keys = opened()
            used, _ = account.usage(0.0)["storage_bytes"]
            assert used == keys.usage().used_bytes <= 40

    trio.run(walk)


@pytest.mark.parametrize("amount", [-1, True, 1.0, math.nan, "1", None])
def test_an_amount_that_is_not_valid_changes_nothing(amount):
    """A04, CWE-1284 and CWE-20: a negative amount would give room instead of taking it."""
    account = Account("a", quotas={"storage_bytes": Quota(10)})
    account.charge({"storage_bytes": 4}, 0)
    for change in (
        lambda: account.reserve({"storage_bytes": amount}, 0),
        lambda: account.charge({"storage_bytes": amount}, 0),
        lambda: account.give_back("storage_bytes", amount),
    ):
        with pytest.raises(ValueError, match="is not a valid amount"):
            change()
    assert account.usage(0)["storage_bytes"] == (4, 10)
