"""Handlers that are plain functions: handled in the step of an asker, or by the dispatcher.

What holds for both kinds of handlers is tested in the modules that use `handler_kind`.
"""

import contextvars
import functools
import math
import time

import pytest
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    CalleeFailed,
    ChildExited,
    DeadLetter,
    DeadReason,
    Directive,
    Health,
    HealthStatus,
    MessageFailed,
    Overflow,
    Poison,
    RestartType,
)
from airssys.nursery.behaviours import PythonBehaviour
from airssys.nursery.shared._dispatcher import MESSAGES_PER_PASS, Dispatcher

from .company import python, running

SECRET = contextvars.ContextVar("SECRET", default="nothing")


@pytest.fixture
def steps(monkeypatch):
    """Names of the tasks in whose step plain handlers of other actors ran."""
    found, handle = [], PythonBehaviour._handle_in_step
    handle_queued = PythonBehaviour.handle_queued

    def noted(behaviour, envelope, owner):
        found.append(trio.lowlevel.current_task().name)
        return handle(behaviour, envelope, owner)

    def noted_queued(behaviour, *arguments):
        messages = handle_queued(behaviour, *arguments)
        found.extend([trio.lowlevel.current_task().name] * messages)
        return messages

    monkeypatch.setattr(PythonBehaviour, "_handle_in_step", noted)
    monkeypatch.setattr(PythonBehaviour, "handle_queued", noted_queued)
    return found


def collect(got):
    def handle(context, envelope):
        got.append(envelope.payload)
        return envelope.payload.upper()

    return handle


class Clerk:
    """Does what a message says."""

    def __init__(self, log):
        self.log = log

    async def started(self, context):
        self.log.append("started")

    def handle(self, context, envelope):
        word = envelope.payload.decode()
        self.log.append(word)
        match word:
            case "crash":
                raise ValueError("on purpose")
            case "stop":
                context.stop()
            case "stash":
                context.stash()
            case "unstash":
                context.unstash_all()
            case "text":
                return word
        return word.upper().encode()

    async def stopped(self, context):
        self.log.append("stopped")


def clerk(log, **options):
    return python("a", Clerk, arguments=(log,), backoff=NO_BACKOFF, **options)


async def test_a_message_is_handled_by_the_dispatcher_in_order(steps):
    got = []
    async with running(python("a", collect(got))) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for number in range(1000):
            system.tell("a", str(number).encode())
        await trio.testing.wait_all_tasks_blocked()
    assert got == [str(number).encode() for number in range(1000)]
    assert len(steps) == 1000
    assert all("Dispatcher.serve" in name for name in steps)


async def test_an_ask_of_an_idle_one_is_answered_in_the_step_of_the_asker(steps):
    async with running(python("a", collect([]))) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        assert await system.ask("a", b"x") == b"X"
        assert steps == [trio.lowlevel.current_task().name]


async def test_an_async_handler_that_never_waits_is_handled_in_the_same_way(steps):
    class Reader:
        async def started(self, context):
            SECRET.set("of the actor")

        async def handle(self, context, envelope):
            return SECRET.get().encode() + envelope.payload

    async with running(python("a", Reader)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        assert await system.ask("a", b"!") == b"of the actor!"
        for number in b"123":
            system.tell("a", bytes([number]))
        await trio.testing.wait_all_tasks_blocked()
        assert steps[0] == trio.lowlevel.current_task().name
        assert len(steps) == 4
        assert all("Dispatcher.serve" in name for name in steps[1:])


async def test_an_async_handler_that_waits_is_not(steps):
    async def handle(context, envelope):
        await trio.lowlevel.checkpoint()
        return envelope.payload

    async with running(python("a", handle)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        assert await system.ask("a", b"x") == b"x"
        assert steps == []


@pytest.mark.parametrize("kind", ["async", "plain"])
async def test_what_a_message_asked_for_does_not_outlive_its_failure(kind):
    """Neither does the answer of one that was set aside count."""
    seen = []

    def handle(context, envelope):
        seen.append(envelope.payload)
        if envelope.payload == b"aside":
            context.stash()
            return "not bytes"
        if envelope.payload == b"crash":
            context.stash()
            raise ValueError("on purpose")
        return envelope.payload

    async def wait(context, envelope):
        await trio.lowlevel.checkpoint()
        return handle(context, envelope)

    resuming = ((ValueError, Directive.RESUME),)
    code = handle if kind == "plain" else wait
    async with running(python("a", code, on_error=resuming)) as (system, watch):
        await trio.testing.wait_all_tasks_blocked()
        for payload in (b"aside", b"crash", b"next"):
            system.tell("a", payload)
        assert await system.ask("a", b"last") == b"last"
        assert seen == [b"aside", b"crash", b"next", b"last"]
        assert system.mailbox("a").stashed == 1
        assert watch.of(ChildExited) == []


async def test_an_ask_overtakes_nothing_that_its_sender_sent_before():
    got = []
    async with running(python("a", collect(got))) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for number in b"123":
            system.tell("a", bytes([number]))
        assert await system.ask("a", b"x") == b"X"
    assert got == [b"1", b"2", b"3", b"x"]


async def test_a_chain_of_plain_actors_takes_one_pass(monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)  # however busy the machine
    got = []

    def hand_on(context, envelope):
        got.append(context.self_id.name)
        if (following := f"n{len(got)}") in names:
            context.tell(following, b"")

    names = [f"n{number}" for number in range(20)]
    async with running(*(python(name, hand_on) for name in names)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        system.tell("n0", b"")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        assert got == names


async def test_a_flood_leaves_others_their_turn():
    counts = {"a": 0, "b": 0}

    def again(context, envelope):
        name = context.self_id.name
        counts[name] += 1
        if counts["a"] < 10 * MESSAGES_PER_PASS:
            context.tell(name, b"")

    async with running(python("a", again), python("b", again)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        system.tell("a", b"")
        system.tell("b", b"")
        seen = []
        while counts["a"] < 10 * MESSAGES_PER_PASS:
            before = sum(counts.values())
            await trio.lowlevel.checkpoint()
            seen.append(sum(counts.values()) - before)
        # Two passes of this task may see two passes of the dispatcher between them.
        assert max(seen) <= 2 * MESSAGES_PER_PASS
        assert counts["b"] >= 2 * MESSAGES_PER_PASS


async def test_a_pass_begins_nothing_after_its_time(monkeypatch):
    got, now = [], 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)

    def slow(context, envelope):
        nonlocal now
        now += 0.0006
        got.append(envelope.payload)

    async with running(python("a", slow)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for number in b"12345":
            system.tell("a", bytes([number]))
        seen = []
        while len(got) < 5:
            before = len(got)
            await trio.lowlevel.checkpoint()
            seen.append(len(got) - before)
        assert max(seen) <= 4  # in two passes
    assert got == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize("how", ["ask", "tell"])
async def test_it_runs_in_the_context_of_its_actor(how):
    seen = []

    class Reader:
        async def started(self, context):
            SECRET.set("of the actor")

        def handle(self, context, envelope):
            seen.append((SECRET.get(), context.is_handling(), context.self_id.name))
            SECRET.set("changed")

    async with running(python("a", Reader)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            if how == "ask":
                await system.ask("a", b"")
            else:
                system.tell("a", b"")
                await trio.testing.wait_all_tasks_blocked()
        assert SECRET.get() == "nothing"
    assert seen == [("of the actor", True, "a"), ("changed", True, "a")]


async def test_a_task_beside_it_is_not_the_actor_at_work():
    contexts = []

    def keep(context, envelope):
        contexts.append(context)

    async with running(python("a", keep)) as (system, _):
        await system.ask("a", b"")
        assert not contexts[0].is_handling()
        with pytest.raises(RuntimeError, match="a task beside the handler"):
            contexts[0].stash()


@pytest.mark.parametrize("how", ["ask", "tell", "at the start"])
async def test_a_crash_goes_the_way_of_every_crash(how):
    log = []
    async with running(clerk(log)) as (system, watch):
        if how != "at the start":
            await trio.testing.wait_all_tasks_blocked()
        if how == "ask":
            with pytest.raises(CalleeFailed, match="ValueError: on purpose"):
                await system.ask("a", b"crash")
        else:
            system.tell("a", b"crash")
        system.tell("a", b"next")
        await trio.testing.wait_all_tasks_blocked()
        (exited,) = watch.of(ChildExited)
        assert exited.restarting
        error = exited.reason.error
        frame = error.__traceback__
        while frame.tb_next is not None:
            frame = frame.tb_next
        assert frame.tb_frame.f_code is Clerk.handle.__code__
        assert [d.why for d in watch.of(DeadLetter)] == (
            ["its actor ended: ValueError: on purpose"]
        )
        assert log == ["started", "crash", "started", "next"]


async def test_what_crashed_comes_again_once_if_that_was_declared():
    log = []
    async with running(clerk(log, poison=Poison.RETRY)) as (system, watch):
        await trio.testing.wait_all_tasks_blocked()
        system.tell("a", b"crash")
        system.tell("a", b"next")
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["started", "crash", "started", "crash", "started", "next"]
        assert [d.reason for d in watch.of(DeadLetter)] == [DeadReason.CRASHED]


@pytest.mark.parametrize("how", ["ask", "tell"])
async def test_it_ends_itself(how):
    log = []
    async with running(clerk(log, restart=RestartType.TEMPORARY)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        if how == "ask":
            assert await system.ask("a", b"stop") == b"STOP"
        else:
            system.tell("a", b"stop")
            system.tell("a", b"next")
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["started", "stop", "stopped"]
        assert system.find("a") is None


async def test_what_is_set_aside_comes_again_and_is_answered_then(autojump_clock):
    class Late:
        is_open = False

        def handle(self, context, envelope):
            if envelope.payload == b"open":
                self.is_open = True
                context.unstash_all()
            elif not self.is_open:
                context.stash()
            return envelope.payload

    answers = []
    async with running(python("a", Late)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()

        async def ask(payload):
            answers.append(await system.ask("a", payload))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, b"1")
            await trio.testing.wait_all_tasks_blocked()
            system.tell("a", b"2")
            await trio.testing.wait_all_tasks_blocked()
            assert answers == []
            assert system.mailbox("a").stashed == 2
            await system.ask("a", b"open")
        assert answers == [b"1"]


@pytest.mark.parametrize("drain", [False, True])
async def test_one_that_is_stopped_handles_what_it_owes(drain):
    log = []
    async with running(clerk(log, drain=drain)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for word in ("one", "two"):
            system.tell("a", word.encode())
    words = ["one", "two"] if drain else []
    assert [word for word in log if word in {"one", "two"}][: len(words)] == words
    assert log[-1] == "stopped"


async def test_a_sender_that_waits_for_room_gets_it():
    got = []
    small = python("a", collect(got), mailbox=2, overflow=Overflow.BLOCK)
    async with running(small) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for number in b"123456":
                nursery.start_soon(system.send, "a", bytes([number]))
    assert sorted(got) == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def test_it_is_probed_between_two_messages(autojump_clock):
    class Probed:
        probes = 0

        def handle(self, context, envelope):
            return str(self.probes).encode()

        async def health(self, context):
            self.probes += 1
            return HealthStatus.HEALTHY

    probed = python("a", Probed, health=Health(interval=1.0))
    async with running(probed) as (system, _):
        await trio.sleep(2.5)
        assert await system.ask("a", b"") == b"2"
        await trio.sleep(1)
        assert await system.ask("a", b"") == b"3"


async def test_a_plain_function_that_returns_an_awaitable_is_named():
    async def wait():
        await trio.sleep(1)

    def careless(context, envelope):
        return wait()

    async with running(python("a", careless)) as (system, _):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("a", b"")
    line = careless.__code__.co_firstlineno
    found = "careless returned a coroutine, but is a plain function: write `async def`"
    error = caught.value.__cause__ or caught.value.error
    assert f"{found} at {__file__}:{line}" in str(error)


async def test_what_it_returns_must_be_bytes():
    async with running(clerk([])) as (system, _):
        with pytest.raises(CalleeFailed, match="handle returned str"):
            await system.ask("a", b"text")


async def test_an_error_that_it_resumes_from_costs_nothing_but_the_message():
    log = []

    resuming = ((ValueError, Directive.RESUME),)
    async with running(clerk(log, on_error=resuming)) as (system, watch):
        await trio.testing.wait_all_tasks_blocked()
        for word in ("one", "crash", "two"):
            system.tell("a", word.encode())
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["started", "one", "crash", "two"]
        assert len(watch.of(MessageFailed)) == 1
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize("how", ["ask", "tell"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_program_ends_the_system(how, error):
    def leave(context, envelope):
        raise error

    async def use():
        async with running(python("a", leave)) as (system, _):
            await trio.testing.wait_all_tasks_blocked()
            if how == "ask":
                await system.ask("a", b"")
            else:
                system.tell("a", b"")
            await trio.sleep_forever()

    with pytest.raises(error):
        await use()


async def test_a_message_whose_time_is_over_is_not_handled(autojump_clock):
    got = []

    class Starting:
        async def started(self, context):
            context.tell("a", b"late", ttl=1)
            context.tell("a", b"in time", ttl=10)
            await trio.sleep(2)

        def handle(self, context, envelope):
            got.append(envelope.payload)
            if envelope.payload == b"in time":
                context.send_after(5, b"last")

    async with running(python("a", Starting)) as (system, _):
        await trio.sleep(20)
        assert got == [b"in time", b"last"]
        assert system.mailbox("a").given_up == 1


async def test_the_next_incarnation_handles_what_the_last_one_left(steps):
    """Also if the dispatcher still knows the last one."""
    log = []
    async with running(clerk(log)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            for word in ("one", "crash", "two"):
                system.tell("a", word.encode())
            await trio.testing.wait_all_tasks_blocked()
    once = ["started", "one", "crash", "started", "two"]
    assert log == [*once, *once[1:], *once[1:], "stopped"]


async def test_an_incarnation_that_has_ended_takes_nothing(monkeypatch):
    known, add = [], Dispatcher.add

    def noted(dispatcher, actor):
        known.append(actor)
        add(dispatcher, actor)

    monkeypatch.setattr(Dispatcher, "add", noted)
    log = []
    async with running(clerk(log)) as (system, _):
        await trio.testing.wait_all_tasks_blocked()
        system.tell("a", b"crash")
        await trio.testing.wait_all_tasks_blocked()
        system.tell("a", b"one")
        assert known[0] is not known[-1]
        assert known[0].handle_due(10, 0.0, math.inf) == 0
        assert system.mailbox("a").queued == 1
        await trio.testing.wait_all_tasks_blocked()
    assert log == ["started", "crash", "started", "one", "stopped"]


@pytest.mark.parametrize(
    "code",
    [
        functools.partial(collect([])),
        type("Called", (), {"__call__": lambda *_: b"x"})(),
    ],
)
async def test_other_callables_are_plain_too(code):
    async with running(python("a", code)) as (system, _):
        assert await system.ask("a", b"x") in {b"X", b"x"}
