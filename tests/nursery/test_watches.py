"""Hearing of the ends of others."""

import pytest
import trio
import trio.lowlevel
import trio.testing

from airssys.contracts import (
    ActorEnded,
    ChildStartFailed,
    ComponentId,
    DeadLetter,
    EngineMisused,
    ExitKind,
    ExitReason,
    InvalidMessage,
)
from airssys.messaging import Mailbox, Registry
from airssys.nursery import ENDED, Watches

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")

A = ComponentId.parse("a")


def test_one_that_fails_keeps_the_end_from_no_other(caplog):
    registry, received = Registry(), []
    registry.register(Mailbox(A, 1))
    watches = Watches(registry)

    def fail(_):
        raise ValueError("on purpose")

    for on_end in (received.append, fail, received.append):
        watches.add(A, on_end)
    watches.note_gone(A)
    assert received == [ActorEnded(A, None, restarting=False)] * 2
    assert "on purpose" in caplog.text
    assert len(watches) == 0


async def victim(context, envelope):
    if envelope.payload == b"stop":
        context.stop()
    elif envelope.payload == b"crash":
        raise ValueError("on purpose")


class Watcher:
    """Watches the actors that its messages name, and notes the ends reported to it."""

    received: list[tuple[str, bytes]]
    contexts: list

    def __init__(self, received, contexts):
        self.received, self.contexts = received, contexts

    async def started(self, context):
        self.contexts.append(context)

    async def handle(self, context, envelope):
        if envelope.content_type == ENDED:
            self.received.append((envelope.sender.name, envelope.payload))
            return
        word, _, name = envelope.payload.decode().partition(" ")
        match word:
            case "watch":
                context.watch(name)
            case "unwatch":
                context.unwatch(name)
            case "sleep":
                await trio.sleep(float(name))
            case "crash":
                raise ValueError("on purpose")


class Scene:
    def __init__(self, **options):
        self.received, self.contexts = [], []
        arguments = (self.received, self.contexts)
        self.watcher = python("w", Watcher, arguments=arguments, **options)


async def ask_each(system, *words):
    for word in words:
        await system.ask("w", word)


@pytest.fixture
def scene():
    return Scene()


@pytest.mark.parametrize(
    ("word", "kind"), [(b"stop", b"shutdown"), (b"crash", b"crash")]
)
async def test_an_actor_is_notified_of_one_end_once(scene, word, kind, autojump_clock):
    async with running(python("a", victim), scene.watcher) as (system, _):
        await ask_each(system, b"watch a", b"watch a")
        await trio.sleep(10)
        assert scene.received == []
        system.tell("a", word)
        await trio.sleep(1)
        assert scene.received == [("a", kind)]
        system.tell("a", word)
        await trio.sleep(1)
        assert scene.received == [("a", kind)]
        await ask_each(system, b"watch a")
        await system.supervisor("root").terminate_child("local/a/0")
        await trio.sleep(1)
        assert scene.received == [("a", kind), ("a", b"shutdown")]
        assert len(system._watches) == 0


async def test_one_that_never_was_is_reported_at_once(scene, autojump_clock):
    async with running(python("a", victim), scene.watcher) as (system, _):
        await ask_each(system, b"watch missing", b"watch missing")
        await trio.sleep(1)
        assert scene.received == [("missing", b"absent")] * 2
        assert len(system._watches) == 0


async def test_unwatched_is_not_reported(scene, autojump_clock):
    async with running(python("a", victim), scene.watcher) as (system, _):
        await ask_each(system, b"watch a", b"unwatch a", b"unwatch a")
        assert len(system._watches) == 0
        system.tell("a", b"crash")
        await trio.sleep(1)
        assert scene.received == []


async def test_watches_end_with_the_incarnation_that_made_them(scene, autojump_clock):
    async with running(python("a", victim), scene.watcher) as (system, _):
        await ask_each(system, b"watch a")
        assert len(system._watches) == 1
        system.tell("w", b"crash")
        await trio.sleep(1)
        assert len(system._watches) == 0
        system.tell("a", b"crash")
        await trio.sleep(1)
        assert scene.received == []
        first, _ = scene.contexts
        with pytest.raises(EngineMisused):
            first.watch("a")


async def test_a_full_mailbox_delays_notifications_and_loses_none(autojump_clock):
    scene = Scene(mailbox=1)
    async with running(python("a", victim), python("b", victim), scene.watcher) as (
        system,
        watch,
    ):
        await ask_each(system, b"watch a", b"watch b")
        system.tell("w", b"sleep 5")
        await trio.lowlevel.checkpoint()
        await trio.testing.wait_all_tasks_blocked()
        system.tell("w", b"sleep 1")
        system.tell("a", b"stop")
        system.tell("b", b"crash")
        await trio.sleep(1)
        assert scene.received == []
        await trio.sleep(10)
        assert sorted(scene.received) == [("a", b"shutdown"), ("b", b"crash")]
        assert len(scene.contexts[0]._own.post) == 0
        assert [d for d in watch.of(DeadLetter) if d.target.name == "w"] == []


async def test_one_that_waits_to_be_restarted_and_is_given_up(autojump_clock):
    async with running(python("a", victim)) as (system, _):
        system.tell("a", b"crash")
        await trio.testing.wait_all_tasks_blocked()
        ends = []

        async def watch():
            ends.append(await system.watch("a"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await trio.testing.wait_all_tasks_blocked()
            await system.supervisor("root").terminate_child("local/a/0")
        assert ends == [ActorEnded(A, None, restarting=False)]


async def test_the_program_awaits_an_end(autojump_clock):
    async with running(python("a", victim)) as (system, _):
        absent = ActorEnded(ComponentId.parse("x"), None, restarting=False)
        assert await system.watch("x") == absent
        with pytest.raises(InvalidMessage):
            await system.watch("")
        with trio.move_on_after(1) as scope:
            await system.watch("a")
        assert scope.cancelled_caught
        assert len(system._watches) == 0
        ends = []

        async def watch():
            ends.append(await system.watch("a"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            nursery.start_soon(watch)
            await trio.testing.wait_all_tasks_blocked()
            system.tell("a", b"crash")
        assert [end.reason.kind for end in ends] == [ExitKind.CRASH] * 2
        assert all(end.restarting for end in ends)


async def test_the_end_of_the_system_is_an_end(autojump_clock):
    ends = []

    async def watch(system):
        ends.append(await system.watch("a"))

    async with trio.open_nursery() as nursery, running(python("a", victim)) as (s, _):
        nursery.start_soon(watch, s)
        await trio.testing.wait_all_tasks_blocked()
    assert [end.reason.kind for end in ends] == [ExitKind.SHUTDOWN]


async def test_what_waits_for_room_ends_with_its_incarnation(autojump_clock):
    scene = Scene(mailbox=1)
    async with running(scene.watcher):
        (context,) = scene.contexts
        for _ in range(3):
            context.watch("nobody")
        assert len(context._own.post) == 2
        context.close()
        assert len(context._own.post) == 0
        await trio.sleep(1)
        assert scene.received == [("nobody", b"absent")]


def test_a_start_that_failed_for_good_is_an_end():
    registry = Registry()
    registry.register(Mailbox(A, 1))
    watches, ends = Watches(registry), []
    watches.add(A, ends.append)
    reason = ExitReason(ExitKind.CRASH)
    watches.note(ChildStartFailed("root", "local/a/0", reason, restarting=True))
    assert ends == []
    watches.note(ChildStartFailed("root", "local/a/0", reason, restarting=False))
    assert ends == [ActorEnded(A, reason, restarting=False)]
    assert len(watches) == 0
