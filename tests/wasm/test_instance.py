"""One guest: its life, its state, what spends it, and what crosses into it and back."""

import threading

import pytest
import trio
import trio.testing

from airssys.contracts import (
    ComponentConfig,
    ComponentId,
    ComponentMetadata,
    EngineMisused,
    GuestRejected,
    GuestSpent,
    GuestTrapped,
    HealthStatus,
    Limits,
    Timestamp,
    TrapReason,
)
from airssys.wasm import _c_api
from airssys.wasm.lane.core import _c_api as lane_c_api
from pace import PATIENCE
from wasm_support import (
    BOB,
    SENDER,
    ScriptedServices,
    envelope,
    is_spent_because,
)

# -- life and state


async def test_each_export_is_called_when_its_name_says_so(guests):
    guest = await guests.start("lifecycle")
    await guest.handle_callback(envelope())
    await guest.metadata()
    await guest.health()
    assert await guest.handle_message(envelope()) == b"icdhm"
    await guest.shutdown()
    assert await guest.handle_message(envelope()) == b"icdhmsm"


async def test_nothing_is_called_but_what_is_asked_for(guests):
    guest = await guests.make("lifecycle-log")
    assert guests.services.called("log") == []
    await guest.initialize(ComponentConfig())
    guest.close()
    assert [text for _, text, _ in guests.services.called("log")] == ["initialize"]


async def test_state_persists_between_messages_and_a_fresh_instance_starts_fresh(
    guests,
):
    guest, other = await guests.many(2, "state")
    answers = [await guest.handle_message(envelope()) for _ in range(3)]
    assert answers == [b"1", b"2", b"3"]
    assert await other.handle_message(envelope()) == b"1"


async def test_a_guest_says_what_it_is_and_how_it_is(guests):
    guest = await guests.start("state")
    assert await guest.metadata() == ComponentMetadata(
        name="state",
        version="1.0.0",
        description="answers with the number of messages seen so far, this one included",
        author="airssys",
        license="MIT",
        supported_operations=("state",),
        stateful=True,
    )
    assert await guest.health() is HealthStatus.HEALTHY
    assert await (await guests.start("unhealthy")).health() is HealthStatus.UNHEALTHY


async def test_a_callback_brings_an_answer(guests):
    guest = await guests.start("requester", b"test/bob/0/250")
    assert await guest.handle_message(envelope(b"question")) == b"c-1"
    assert guests.services.called("request") == [[BOB, b"question", 0.25]]
    await guest.handle_callback(envelope(b"the answer", correlation_id="c-1"))
    assert await guest.handle_message(envelope()) == b"the answer"


async def test_a_guest_may_have_no_answer(guests):
    guest = await guests.start("callback")
    assert await guest.handle_message(envelope()) is None


# -- typed rejections


@pytest.mark.parametrize(
    ("name", "call", "phase", "case", "detail"),
    [
        (
            "reject",
            lambda g: g.handle_message(envelope()),
            "handle-message",
            "runtime-error",
            "rejected",
        ),
        (
            "reject",
            lambda g: g.handle_callback(envelope()),
            "handle-callback",
            "runtime-error",
            "rejected",
        ),
        ("bad-shutdown", lambda g: g.shutdown(), "shutdown", "shutdown-failed", "no"),
        (
            "failing-initialize",
            lambda g: g.initialize(ComponentConfig()),
            "initialize",
            "initialization-failed",
            "no",
        ),
    ],
)
async def test_a_typed_rejection_does_not_spend(
    guests, name, call, phase, case, detail
):
    guest = await guests.make(name)
    for _ in range(2):
        with pytest.raises(GuestRejected) as caught:
            await call(guest)
        rejection = caught.value
        assert (rejection.phase, rejection.case, rejection.detail) == (
            phase,
            case,
            detail,
        )
    assert guest.spent is None
    assert await guest.health() is HealthStatus.HEALTHY


# -- spent, closed, cancelled


async def test_state_before_a_trap_is_gone_with_the_instance(guests):
    guest = await guests.start("fragile")
    assert await guest.handle_message(envelope(b"fine")) == b"1"
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope(b"boom"))
    assert caught.value.reason is TrapReason.UNREACHABLE
    assert await is_spent_because(guest, caught.value)


async def test_a_closed_guest_is_spent(guests):
    guest = await guests.start("echo")
    guest.close()
    assert isinstance(guest.spent, GuestSpent)
    assert "it was closed" in str(guest.spent)
    assert await is_spent_because(guest)


async def test_a_guest_that_was_never_initialized_can_be_closed(guests):
    guest = await guests.make("echo")
    guest.close()
    guest.close()
    assert not guests.runtime.engine.ledger.stores


async def test_closing_keeps_the_first_reason(guests):
    guest = await guests.start("trap-unreachable")
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope())
    guest.close()
    assert guest.spent is caught.value


async def begun(nursery, call, *arguments):
    """Begin a call in a task; returns the list that its outcome goes into."""
    outcome = []

    async def run():
        try:
            outcome.append(await call(*arguments))
        except BaseException as error:
            outcome.append(error)
            if isinstance(error, trio.Cancelled):
                raise

    nursery.start_soon(run)
    await trio.testing.wait_all_tasks_blocked()
    return outcome


@pytest.mark.parametrize("name", ["sleep", "asker"])
async def test_closing_ends_a_call_that_waits_for_the_host(guests, name):
    class Slow(ScriptedServices):
        async def ask(self, *_):
            await trio.sleep(0.1)
            return b""

    guest = await guests.start(name, services=Slow())
    async with trio.open_nursery() as nursery:
        outcome = await begun(nursery, guest.handle_message, envelope(b"100"))
        guest.close()
        guest.close()
        assert not guests.runtime.engine.ledger.stores
    assert isinstance(outcome[0], EngineMisused)
    with pytest.raises(GuestSpent, match=r"cancelled"):
        await guest.health()


async def test_closing_ends_a_busy_call(guests):
    guest = await guests.start("loop")
    async with trio.open_nursery() as nursery:
        outcome = []

        async def run():
            try:
                await guest.handle_message(envelope())
            except EngineMisused as error:
                outcome.append(error)

        nursery.start_soon(run)
        await trio.sleep(0.03)
        guest.close()
    assert "closed" in str(outcome[0])


async def test_a_guest_is_called_by_one_at_a_time(guests, autojump_clock):
    guest = await guests.start("sleep")
    async with trio.open_nursery() as nursery:
        outcome = await begun(nursery, guest.handle_message, envelope(b"100"))
        for call in (guest.health, guest.shutdown):
            with pytest.raises(EngineMisused, match="in the middle of a call"):
                await call()
    assert outcome == [b"100"]
    assert guest.spent is None


LARGE = 1_100_000
"""Bytes that a worker moves, on either lane."""


async def test_large_calls_come_one_at_a_time_too(guests):
    """A large payload is moved in by a worker: the guest is called from then on."""
    guest = await guests.start("echo", host_call_bytes=4 * LARGE)
    payload = bytes(LARGE)
    async with trio.open_nursery() as nursery:
        first = await begun_at_once(nursery, guest, payload)
        second = await begun_at_once(nursery, guest, payload)
        with pytest.raises(EngineMisused, match="in the middle of a call"):
            await guest.handle_message(envelope(b"small"))
    assert first == [payload]
    assert isinstance(second[0], EngineMisused)
    assert await guest.handle_message(envelope(b"again")) == b"again"


async def test_a_guest_is_not_closed_while_a_worker_begins_a_call(guests, monkeypatch):
    api = lane_c_api if guests.runtime.settings.lane == "own" else _c_api
    original = api.func_call_async
    is_in, may_go_on = threading.Event(), threading.Event()

    def begin_slowly(*arguments):
        is_in.set()
        assert may_go_on.wait(PATIENCE)
        return original(*arguments)

    guest = await guests.start("echo", host_call_bytes=4 * LARGE)
    monkeypatch.setattr(api, "func_call_async", begin_slowly)
    payload = bytes(LARGE)
    async with trio.open_nursery() as nursery:
        outcome = await begun_at_once(nursery, guest, payload)
        assert await trio.to_thread.run_sync(is_in.wait, 5)
        with pytest.raises(EngineMisused, match="being polled"):
            guest.close()
        may_go_on.set()
    assert outcome == [payload]


async def begun_at_once(nursery, guest, payload):
    outcome = []

    async def run(task_status=trio.TASK_STATUS_IGNORED):
        task_status.started()
        try:
            outcome.append(await guest.handle_message(envelope(payload)))
        except EngineMisused as error:
            outcome.append(error)

    await nursery.start(run)
    return outcome


async def test_a_guest_cannot_be_called_from_its_own_host_function(guests):
    class CallsBack(ScriptedServices):
        async def ask(self, *_):
            await guest.health()

    guest = await guests.start("asker", services=CallsBack())
    with pytest.raises(GuestTrapped, match="in the middle of a call") as caught:
        await guest.handle_message(envelope())
    assert caught.value.reason is TrapReason.HOST_ERROR


async def test_a_guest_may_be_closed_by_a_host_function_that_does_not_wait(guests):
    """It is between two polls then, so closing is safe, and the call finds out."""

    class Closes(ScriptedServices):
        def current_time(self):
            guest.close()
            return Timestamp(1, 2)

    guest = await guests.start("host-call-count", services=Closes())
    with pytest.raises(EngineMisused):
        await guest.handle_message(envelope(b"2"))
    assert guest.spent is not None


async def test_a_cancellation_is_passed_on_and_spends(guests, autojump_clock):
    guest = await guests.start("sleep")
    raised = []
    with trio.move_on_after(0.5) as scope:
        try:
            await guest.handle_message(envelope(b"1000"))
        except trio.Cancelled as error:
            raised.append(error)
            raise
    assert scope.cancelled_caught
    assert len(raised) == 1
    assert guest.spent.reason is TrapReason.CANCELLED
    assert "cancelled" in str(guest.spent)


async def test_a_call_that_needs_no_wait_ignores_a_cancelled_scope(unticked):
    """Cancellation comes at waits; a short call has none and its answer is not lost."""
    guest = await unticked.start("echo")
    with trio.CancelScope() as scope:
        scope.cancel()
        assert await guest.handle_message(envelope(b"x")) == b"x"
    assert guest.spent is None


async def test_a_guest_that_was_not_closed_is_closed_with_a_warning(guests):
    await guests.make("echo")
    with pytest.warns(ResourceWarning, match="a guest store was not closed"):
        guests.started.clear()
    assert not guests.runtime.engine.ledger.stores


# -- what crosses


@pytest.mark.parametrize(
    "size", [0, 1, 1023, 32 * 1024, 32 * 1024 + 1, 100_000, 1_000_000]
)
async def test_payloads_cross_whole_both_ways(guests, size):
    guest = await guests.start("echo")
    payload = (bytes(range(251)) * (size // 251 + 1))[:size]
    assert await guest.handle_message(envelope(payload)) == payload
    assert await guest.handle_message(envelope(b"small")) == b"small"


@pytest.mark.parametrize("more", [0, 1])
async def test_large_payloads_are_moved_by_worker_threads(unhurried, monkeypatch, more):
    """Large is what takes long: on the own lane, 32 times as much."""
    settings = unhurried.runtime.settings
    cheaper = 32 if settings.lane == "own" else 1
    size = settings.thread_payload_bytes * cheaper + more
    turns = unhurried.runtime.turns
    works = []
    original = turns.in_worker

    async def in_worker_noted(work):
        works.append(work)
        return await original(work)

    monkeypatch.setattr(turns, "in_worker", in_worker_noted, raising=True)
    guest = await unhurried.start("echo", host_call_bytes=4 * size)
    assert len(await guest.handle_message(envelope(bytes(size)))) == size
    assert bool(works) is bool(more)


async def test_large_callbacks_cross_whole(guests):
    guest = await guests.start("callback")
    payload = bytes(range(256)) * 400
    await guest.handle_callback(envelope(payload))
    assert await guest.handle_message(envelope()) == payload


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, memoryview, lambda data: memoryview(data * 2)[::2]]
)
async def test_payloads_may_be_any_kind_of_bytes(guests, kind):
    guest = await guests.start("echo")
    data = b"aabbcc"
    sent = kind(data)
    assert await guest.handle_message(envelope(sent)) == bytes(sent)


@pytest.mark.parametrize(
    "sender",
    [
        SENDER,
        ComponentId("n", "a" * 128, "0"),
        ComponentId("größe", "名前", "🦀"),
    ],
)
@pytest.mark.parametrize("correlation", [None, "", "c-1", "ключ🔑", "x" * 5000])
@pytest.mark.parametrize("kind", [None, "text/plain"])
async def test_a_message_crosses_whole(guests, sender, correlation, kind):
    guest = await guests.start("whoami")
    message = envelope(content_type=kind, correlation_id=correlation)
    answer = await guest.handle_message(message._replace(sender=sender))
    optional = ["-" if each is None else each for each in (correlation, kind)]
    assert answer.decode() == "|".join([str(sender), *optional])


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"correlation_id": "\ud800"}, "lone surrogates"),
        ({"content_type": "a\udfff"}, "lone surrogates"),
        ({"payload": "text"}, "msg.payload"),
        ({"sent_at_ns": -1}, "msg.metadata.timestamp.seconds"),
        ({"correlation_id": 7}, "msg.metadata.correlation-id"),
    ],
)
async def test_what_cannot_cross_is_rejected_and_the_guest_keeps_running(
    guests, fields, part
):
    guest = await guests.start("state")
    with pytest.raises(GuestRejected) as caught:
        await guest.handle_message(envelope(**fields))
    assert (caught.value.phase, caught.value.case) == (
        "handle-message",
        "invalid-message",
    )
    assert part in caught.value.detail
    assert guest.spent is None
    assert await guest.handle_message(envelope()) == b"1"


async def test_a_configuration_crosses_whole(guests):
    guest = await guests.make("config")
    limits = Limits(memory_bytes=2**20, execution_time=1.5001, fuel=10**9)
    env = (("A", "1"), ("B", ""), ("名", "前"))
    await guest.initialize(ComponentConfig(env=env, data=b"\0\xff", limits=limits))
    texts = [
        await guest.handle_message(envelope(topic)) for topic in (b"c", b"e", b"l")
    ]
    assert texts == [b"\0\xff", "A=1\nB=\n名=前\n".encode(), b"1048576 1501 1000000000"]


async def test_a_configuration_may_say_nothing(guests):
    guest = await guests.make("config")
    await guest.initialize(ComponentConfig())
    texts = [
        await guest.handle_message(envelope(topic)) for topic in (b"c", b"e", b"l")
    ]
    assert texts == [None, b"", b"67108864 30000 -"]
