"""Pools in running systems: they grow and shrink, are restarted, lose nothing."""

from collections import Counter

import pytest
import trio
from hypothesis import given, settings, strategies as st
from trio.testing import MockClock

from airssys import (
    NO_BACKOFF,
    Backoff,
    CalleeFailed,
    ChildStarted,
    DeadLetter,
    Done,
    InvalidMessage,
    MessagingError,
    NameTaken,
    PoolSize,
    Portal,
    Refusal,
    Routing,
    Started,
    StartFailed,
    SupervisorGaveUp,
    SystemGaveUp,
    TargetNotFound,
    Unavailable,
    actor,
    blueprint,
    component,
    open_system,
    pool,
    render,
)
from airssys.contracts import Artifact
from airssys.security import everything
from airssys.testing import wait_until_idle
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

CALLS = Artifact.at(GUESTS / "calls.wat")


class Worker:
    """Notes what it handles; takes as long as the payload says, or crashes."""

    def __init__(self, log):
        self.log = log

    async def handle(self, context, envelope):
        word = envelope.payload.split()[0] if envelope.payload else b""
        self.log.append((context.self_id.instance, envelope.payload, envelope.topic))
        if word == b"crash":
            raise ValueError("on purpose")
        if word in {b"slow", b"long"}:
            await trio.sleep(1 if word == b"slow" else 100)
        return context.self_id.instance.encode()


def workers(log, *, size=2, **options):
    names = ("mailbox", "drain", "overflow", "backoff", "on_error")
    own = {name: options.pop(name) for name in names if name in options}
    own.setdefault("backoff", NO_BACKOFF)
    return pool("workers", actor("w", Worker, log, **own), size=size, **options)


def members(system):
    return [member.id.instance for member in system.pool("workers").members]


async def settle():
    for _ in range(4):
        await wait_until_idle(0.001)


def events_of(stream, kind):
    found = []
    while True:
        try:
            found.append(stream.next_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return [event for event in found if isinstance(event, kind)]


async def test_it_takes_tell_send_and_ask_like_an_actor(autojump_clock):
    log = []
    async with open_system(blueprint(workers(log))) as system:
        system.tell("workers", b"1")
        await system.send("workers", b"2")
        assert await system.ask("workers", b"3") in {b"1", b"2"}
        results = await system.broadcast(["workers", "nobody"], b"4")
        assert [error is None for error in results.values()] == [True, False]
        await settle()
        assert sorted(payload for _, payload, _ in log) == [b"1", b"2", b"3", b"4"]
        assert Counter(number for number, _, _ in log) == {"1": 2, "2": 2}
        found = system.find("workers")
        assert str(found) == "local/workers/0"
        assert system.mailbox("workers").handled == 4
        with pytest.raises(InvalidMessage, match="the key is int"):
            system.tell("workers", b"", key=3)


async def test_it_is_in_the_tree_with_its_members(autojump_clock):
    async with open_system(blueprint(workers([]))) as system:
        drawn = render(system.tree()).splitlines()
        assert drawn[1] == "└─ workers (pool) running"
        assert drawn[2].endswith("local/workers/1 (actor) running")
        assert len(drawn) == 4


async def test_a_member_that_crashes_is_restarted_and_its_queue_survives(
    autojump_clock,
):
    log = []
    async with open_system(blueprint(workers(log, size=1))) as system:
        for word in (b"crash", b"1", b"2"):
            system.tell("workers", word)
        await settle()
        assert [payload for _, payload, _ in log] == [b"crash", b"1", b"2"]
        assert {number for number, _, _ in log} == {"1"}
        assert system.tree().find("local/workers/1").restarts == 1
        with pytest.raises(CalleeFailed) as failed:
            await system.ask("workers", b"crash")
        assert str(failed.value.target) == "local/workers/1"


async def test_it_grows_with_its_load_and_shrinks_when_it_is_quiet(autojump_clock):
    log = []
    size = PoolSize(minimum=1, maximum=4, grow_above=3, patience=4)
    async with open_system(blueprint(workers(log, size=size))) as system:
        assert members(system) == ["1"]
        for n in range(40):
            system.tell("workers", b"slow %d" % n)
        await settle()
        assert members(system) == ["1", "2", "3", "4"]
        loads = [member.load for member in system.pool("workers").members]
        assert max(loads) - min(loads) <= 2, loads
        await trio.sleep(13)
        assert len(log) == 40
        assert system.pool("workers").wanted == 4, "not before its patience is over"
        await trio.sleep(4)
        assert len(members(system)) == 3
        await trio.sleep(4)
        assert len(members(system)) == 2
        await trio.sleep(30)
        assert members(system) == ["1"]
        assert len(Counter(payload for _, payload, _ in log)) == 40
        assert len(system.tree().find("workers").children) == 1


async def test_it_does_not_shrink_while_its_members_are_busy(autojump_clock):
    size = PoolSize(minimum=1, maximum=2, grow_above=1, patience=3)
    async with open_system(blueprint(workers([], size=size))) as system:
        async with trio.open_nursery() as nursery:
            for n in range(20):
                for _ in range(2):
                    nursery.start_soon(system.send, "workers", b"slow %d" % n)
                await trio.sleep(1)
                if n:
                    assert len(members(system)) == 2
        await trio.sleep(20)
        assert len(members(system)) == 1


async def test_load_before_it_grew_does_not_keep_it_from_shrinking(autojump_clock):
    size = PoolSize(minimum=1, maximum=3, grow_above=1, patience=4)
    async with open_system(blueprint(workers([], size=size))) as system:
        for _ in range(3):
            system.tell("workers", b"slow")
        await trio.sleep(1.5)
        assert len(members(system)) == 3
        await trio.sleep(2)
        system.tell("workers", b"slow")
        await trio.sleep(1)
        assert len(members(system)) == 3, "it was busy at the first look back"
        await trio.sleep(4)
        assert len(members(system)) == 2
        await trio.sleep(30)
        assert len(members(system)) == 1
        assert await system.resize("workers", 3) == Done("workers")
        await trio.sleep(3)
        assert len(members(system)) == 3, "looking back begins when it may shrink"


async def test_it_does_not_shrink_while_all_take_long(autojump_clock):
    size = PoolSize(minimum=1, maximum=3, grow_above=1, patience=4)
    async with open_system(blueprint(workers([], size=size))) as system:
        for _ in range(3):
            system.tell("workers", b"long")
        await trio.sleep(90)
        assert len(members(system)) == 3
        await trio.sleep(40)
        assert len(members(system)) == 1


async def test_it_is_resized_by_hand(autojump_clock):
    async with open_system(blueprint(workers([]))) as system:
        assert await system.resize("workers", 5) == Done("workers")
        assert members(system) == ["1", "2", "3", "4", "5"]
        assert await system.resize("workers", 1) == Done("workers")
        assert members(system) == ["1"]
        await settle()
        assert await system.resize("workers", 2) == Done("workers")
        assert members(system) == ["1", "6"], "numbers are never used again"
        for wrong in (0, -1, 10**9, 2.5, True, "3", None):
            refused = await system.resize("workers", wrong)
            assert refused.why is Refusal.POOL_SIZE
        assert (await system.resize("nobody", 1)).why is Refusal.NOT_FOUND
        with pytest.raises(TargetNotFound):
            system.pool("nobody")


async def test_a_rule_bounds_what_is_asked_for_by_hand(autojump_clock):
    size = PoolSize(minimum=2, maximum=3, patience=5)
    async with open_system(blueprint(workers([], size=size))) as system:
        assert (await system.resize("workers", 1)).why is Refusal.POOL_SIZE
        assert (await system.resize("workers", 4)).why is Refusal.POOL_SIZE
        assert await system.resize("workers", 3) == Done("workers")
        assert len(members(system)) == 3
        await trio.sleep(6)
        assert len(members(system)) == 2, "the rule goes on from there"


@pytest.mark.parametrize("routing", Routing)
async def test_shrinking_loses_nothing(autojump_clock, routing):
    log = []
    plan = blueprint(workers(log, size=4, mailbox=5, routing=routing))
    async with open_system(plan) as system, trio.open_nursery() as nursery:
        events = system.events(1000)
        for n in range(60):
            send = system.send
            nursery.start_soon(_keyed, send, b"slow %d" % n, b"%d" % (n % 7))
        await settle()
        await system.resize("workers", 2)
        await trio.sleep(2)
        await system.resize("workers", 1)
        await trio.sleep(80)
        assert sorted(Counter(log).values()) == [1] * 60
        assert events_of(events, DeadLetter) == []
        counted = system.mailbox("workers")
        assert (counted.handled, counted.arrived) == (60, 60)


async def _keyed(send, payload, key):
    await send("workers", payload, key=key)


async def send_in_order(system, number):
    for n in range(12):
        await system.send("workers", b"%d %d" % (number, n))
        if n % 3 == 0:
            await trio.sleep(0.2)


async def handled_while_resized(sizes, mailbox, seconds):
    """Five senders of a key each, and a pool of changing size; return what it handled."""
    log = []

    async def handle(context, envelope):
        log.append(tuple(map(int, envelope.payload.split())))
        await trio.sleep(seconds)

    def key(envelope):
        return envelope.payload.split()[0]

    member = actor("w", handle, mailbox=mailbox)
    plan = blueprint(
        pool("workers", member, size=3, routing="consistent-hash", key=key)
    )
    async with open_system(plan) as system, trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(send_in_order, system, number)
        for size in sizes:
            await trio.sleep(0.25)
            assert await system.resize("workers", size) == Done("workers")
        await trio.sleep(100)
    return log


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=6),
    st.integers(1, 4),
    st.sampled_from([0, 0.1]),
)
def test_keys_keep_their_order_while_the_pool_is_resized(sizes, mailbox, seconds):
    clock = MockClock(autojump_threshold=0)
    log = trio.run(handled_while_resized, sizes, mailbox, seconds, clock=clock)
    assert len(log) == 60
    for number in range(5):
        assert [n for key, n in log if key == number] == list(range(12))


async def test_each_published_message_is_for_one_member(autojump_clock):
    log, received = [], []

    async def listen(context, envelope):
        received.append(envelope.payload)

    plan = blueprint(
        workers(log, size=3, topics="jobs.#"),
        actor("listener", listen, topics=["jobs.*", "#"]),
    )
    async with open_system(plan) as system:
        for n in range(9):
            await system.publish("jobs.new", b"%d" % n)
        await settle()
        assert sorted(payload for _, payload, _ in log) == sorted(received)
        assert len(received) == 9
        assert Counter(number for number, _, _ in log) == {"1": 3, "2": 3, "3": 3}
        assert {topic for _, _, topic in log} == {"jobs.new"}
        await system.resize("workers", 1)
        await system.publish("jobs.new", b"9")
        await settle()
        assert len(log) == len(received) == 10


@pytest.mark.parametrize(("lag", "lost"), [("drop-newest", 2), ("block", 0)])
async def test_what_a_full_pool_does_with_what_is_published(autojump_clock, lag, lost):
    log = []
    plan = blueprint(workers(log, size=2, mailbox=1, topics=["x"], lag=lag))
    async with open_system(plan) as system:
        events = system.events()
        for n in range(2):
            await system.publish("x", b"slow %d" % n)
        await settle()
        for n in range(2, 6):
            await system.publish("x", b"slow %d" % n)
        await trio.sleep(10)
        assert len(log) == 6 - lost
        assert len(events_of(events, DeadLetter)) == lost


async def test_guests_reach_a_pool_by_its_name_and_are_members_of_one():
    plan = blueprint(
        pool("guests", component("g", CALLS, can=everything()), size=2),
        workers([], size=2),
    )
    async with open_system(plan) as system:
        request = b"host-messaging.ask\nlocal/workers/0\nhi"
        answers = {await system.ask("guests", request) for _ in range(4)}
        assert answers == {b"ok:1", b"ok:2"}
        send = b"host-messaging.send\nlocal/guests/0\nhost-services.log"
        assert await system.ask("guests", send) == b"ok"
        listed = await system.ask("guests", b"host-services.list-components")
        assert b"local/guests/0" in listed
        assert b"local/workers/2" in listed
        known = b"host-services.get-component-metadata\nlocal/workers/0"
        assert (await system.ask("guests", known)).startswith(b"ok")
        await settle()
        assert await system.resize("guests", 3) == Done("guests")
        assert len(system.pool("guests").members) == 3


async def test_a_request_of_a_guest_to_a_pool_ends_in_its_callback():
    plan = blueprint(component("g", CALLS, can=everything()), workers([], size=2))
    async with open_system(plan) as system:
        events = system.events()
        answer = await system.ask("g", b"host-messaging.request\nlocal/workers/0\nhi")
        assert answer.startswith(b"ok:")
        await settle()
        lines = [e.message for e in events_of(events, object) if hasattr(e, "message")]
        assert len(lines) == 1
        assert "local/workers/0" in lines[0], "the pool is who was asked"


async def test_a_member_that_cannot_start_is_reported_and_stops_the_start():
    class Broken:
        async def started(self, context):
            raise OSError("no disk")

        async def handle(self, context, envelope): ...

    plan = blueprint(pool("workers", actor("w", Broken), size=3))
    with pytest.raises(StartFailed, match="no disk") as failed:
        async with open_system(plan):
            raise AssertionError("it is open")
    assert failed.value.child.startswith("local/workers/")


async def test_a_name_that_is_taken_is_not_shared():
    async def handle(context, envelope): ...

    plan = blueprint(
        actor("local/workers/2", handle),
        pool("workers", actor("w", handle), size=2),
    )
    with pytest.raises(StartFailed) as failed:
        async with open_system(plan):
            raise AssertionError("it is open")
    assert isinstance(failed.value.reason.error, NameTaken)


async def test_a_pool_that_gives_up_is_started_afresh_by_its_supervisor(autojump_clock):
    log = []
    plan = blueprint(workers(log, size=2, restarts=1))
    async with open_system(plan) as system:
        events = system.events(1000)
        for _ in range(4):
            system.tell("workers", b"crash")
        await trio.sleep(60)
        # Its queue is kept: two of them end it, and the other two end the next one.
        assert len(events_of(events, SupervisorGaveUp)) == 2
        # Numbers are not given again: no caller reaches another one by an old name.
        assert members(system) == ["5", "6"]
        assert await system.ask("workers", b"again") in {b"5", b"6"}


async def crash_until_the_end(plan):
    async with open_system(plan) as system:
        system.tell("workers", b"crash")
        await trio.sleep(10)


async def test_a_pool_that_gives_up_too_often_ends_the_system():
    plan = blueprint(workers([], size=1, restarts=0), restarts=0)
    with pytest.raises(SystemGaveUp):
        await crash_until_the_end(plan)


async def test_a_member_that_is_gone_for_good_is_replaced_after_a_pause(autojump_clock):
    log = []
    plan = blueprint(workers(log, size=2, on_error={ValueError: "stop"}))
    async with open_system(plan) as system:
        events = system.events(1000)
        for n in range(6):
            system.tell("workers", b"%d" % n if n else b"crash")
        await settle()
        assert len(members(system)) == 1
        await trio.sleep(0.5)
        assert len(members(system)) == 1
        await trio.sleep(1)
        assert len(members(system)) == 2
        assert len(log) == 6, "the other one handled what was left"
        started = [e.child for e in events_of(events, ChildStarted)]
        assert started == ["local/workers/3"]


async def test_administration_of_a_pool_may_stop_a_member_but_no_more(autojump_clock):
    async with open_system(blueprint(workers([]))) as system:
        admin = system.supervisor("root/workers")
        assert (await admin.start_from_template()).why is Refusal.POOL
        assert (await admin.delete_child("local/workers/1")).why is Refusal.POOL
        assert admin.count_children().workers == 2
        assert await admin.terminate_child("local/workers/1") == Done("local/workers/1")
        await trio.sleep(2)
        assert members(system) == ["2", "3"]


async def test_what_is_left_when_a_pool_stops_are_dead_letters(autojump_clock):
    log = []
    async with open_system(blueprint(workers(log, size=2))) as system:
        events = system.events(1000)
        for n in range(7):
            system.tell("workers", b"slow %d" % n)
        await settle()
        ended = []

        async def watch():
            ended.append(await system.watch("workers"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await settle()
            admin = system.supervisor("root")
            assert await admin.terminate_child("workers") == Done("workers")
        assert ended[0].reason is None
        assert len(log) == 2
        assert len(events_of(events, DeadLetter)) == 5
        with pytest.raises(
            Unavailable, match="workers/0 is not running: it was stopped"
        ):
            system.tell("workers", b"")
        assert (await system.resize("workers", 3)).why is Refusal.NOT_RUNNING
        assert await admin.restart_child("workers")
        assert await system.ask("workers", b"") in {b"3", b"4"}


async def test_a_pool_may_be_started_at_run_time(autojump_clock):
    log = []
    async with open_system(blueprint(workers([]))) as system:
        admin = system.supervisor("root")
        late = pool("late", actor("w", Worker, log), size=3)
        assert await admin.start_child(late) == Started("late")
        await system.send("late", b"hi")
        await settle()
        assert len(log) == 1
        wrong = pool("wrong", actor("w", Worker, log), size=0)
        assert (await admin.start_child(wrong)).why is Refusal.INVALID_SPEC


async def test_threads_reach_the_members_of_a_pool_by_key():
    log = []
    plan = blueprint(workers(log, size=4, routing="consistent-hash"))

    def from_a_thread(portal):
        portal.tell("workers", b"1", key="k")
        portal.send("workers", b"2", key=b"k")
        return portal.ask("workers", b"3", key="k")

    async with open_system(plan) as system:
        last = await trio.to_thread.run_sync(from_a_thread, Portal(system))
        assert [number for number, _, _ in log] == [last.decode()] * 3


class Hesitant:
    """Sets aside what it is not asked to do at once."""

    def __init__(self, log):
        self.log = log

    async def handle(self, context, envelope):
        if context.self_id.instance == "2" and envelope.payload != b"now":
            context.stash()
        else:
            self.log.append((context.self_id.instance, envelope.payload))


async def test_what_a_retired_member_has_set_aside_is_for_the_others(autojump_clock):
    log = []
    plan = blueprint(pool("workers", actor("w", Hesitant, log), size=2))
    async with open_system(plan) as system:
        events = system.events()
        for n in range(4):
            system.tell("workers", b"%d" % n)
        system.tell("local/workers/2", b"now")
        await settle()
        assert len(log) == 3
        await system.resize("workers", 1)
        await settle()
        assert {payload for number, payload in log if number == "1"} == {
            b"0",
            b"1",
            b"2",
            b"3",
        }
        assert events_of(events, DeadLetter) == []


async def test_members_that_drain_handle_what_is_queued(autojump_clock):
    log = []
    async with open_system(blueprint(workers(log, size=2, drain=True))) as system:
        for n in range(6):
            system.tell("workers", b"%d" % n)
    assert len(log) == 6


class Subscribed:
    """Declared with topics; subscribes to one of them again, and to another."""

    def __init__(self, received):
        self.received = received

    async def started(self, context):
        context.subscribe("news.*")
        context.subscribe("mail")

    async def handle(self, context, envelope):
        self.received.append(envelope.payload)
        if envelope.payload == b"crash":
            raise ValueError("on purpose")


async def test_a_declared_subscription_outlives_its_incarnations(autojump_clock):
    received = []
    plan = blueprint(actor("a", Subscribed, received, topics=("news.#", "mail")))
    async with open_system(plan) as system:
        await system.publish("news.1", b"once")
        await system.publish("news.1", b"crash")
        await settle()
        assert received == [b"once", b"crash"]
        await system.publish("mail", b"while it waits to be restarted")
        await system.publish("news.1", b"too")
        assert len(received) == 2
        await trio.sleep(5)
        assert received[2:] == [b"while it waits to be restarted", b"too"]
    assert len(system._publishing.subscriptions) == 0


async def test_a_component_may_be_declared_with_topics():
    plan = blueprint(
        component("g", CALLS, topics="news.#", lag="block", can=everything())
    )
    async with open_system(plan) as system:
        events = system.events()
        await system.publish("news.x", b"host-services.log\nreceived")
        await settle()
        lines = [e.message for e in events_of(events, object) if hasattr(e, "message")]
        assert lines == ["received"]


# ------------------------------------------------------- a pool that starts again


@pytest.mark.parametrize("routing", ["round-robin", "consistent-hash"])
async def test_a_pool_that_starts_again_keeps_its_queue(routing, autojump_clock):
    """It gives up over one message; what waits behind, and what comes, is handled."""
    log, answers = [], []
    options = {"restarts": 0, "backoff": NO_BACKOFF, "routing": routing}
    plan = blueprint(pool("workers", actor("w", Worker, log), size=2, **options))
    async with open_system(plan) as system, trio.open_nursery() as nursery:
        events = system.events(1000)

        async def ask(number):
            answers.append(
                await system.ask("workers", b"%d" % number, key=b"k", timeout=60)
            )

        system.tell("workers", b"slow 0", key=b"k")
        system.tell("workers", b"crash", key=b"k")
        for number in range(1, 4):
            nursery.start_soon(ask, number)
            await settle()
        await trio.sleep(10)
        assert len(answers) == 3
        seen = events_of(events, SupervisorGaveUp | DeadLetter)
        assert [type(each) for each in seen] == [DeadLetter, SupervisorGaveUp]
        handled = [payload for _, payload, _ in log if payload.isdigit()]
        assert sorted(handled) == [b"1", b"2", b"3"]
        if routing == "consistent-hash":
            assert handled == sorted(handled)
        assert system.waits() == ()


async def test_one_that_asks_while_a_pool_starts_again_waits_for_it(autojump_clock):
    log = []
    slow = {"restarts": 0, "backoff": Backoff(first=5)}
    plan = blueprint(pool("workers", actor("w", Worker, log), size=1, **slow))
    async with open_system(plan) as system:
        system.tell("workers", b"crash")
        await trio.sleep(1)
        assert system.pool("workers").members == ()
        began = trio.current_time()
        assert await system.ask("workers", b"?", timeout=60) is not None
        assert trio.current_time() == pytest.approx(began + 4)


async def test_a_pool_that_gives_up_for_good_answers_what_it_had(autojump_clock):
    log, ends = [], []
    tight = {"restarts": 0, "restart": "temporary"}
    plan = blueprint(pool("workers", actor("w", Worker, log), size=2, **tight))
    async with open_system(plan) as system, trio.open_nursery() as nursery:

        async def ask(number):
            try:
                await system.ask("workers", b"%d" % number, timeout=60)
            except MessagingError as error:
                ends.append(type(error))

        for _ in range(2):
            system.tell("workers", b"slow")
            system.tell("workers", b"crash")
        for number in range(6):
            nursery.start_soon(ask, number)
        await trio.sleep(10)
        assert ends == [Unavailable] * 6
        with pytest.raises(Unavailable, match="is not running: it gave up at"):
            await system.ask("workers", b"")
