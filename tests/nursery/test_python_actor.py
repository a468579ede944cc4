"""Python actors: functions and classes, their context, their ends."""

import pytest
import trio
import trio.testing

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    DeadLetter,
    ExitKind,
    MailboxFull,
    MessageFailed,
    RequestWouldDeadlock,
    RestartType,
    StartFailed,
    Unavailable,
)
from airssys.nursery.actors._actor_loop import MESSAGES_PER_TURN

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


async def echo(context, envelope):
    return envelope.payload


class Counter:
    """Counts; `crash`, `stop` and `wait` do as they say."""

    def __init__(self, start=0, log=None):
        self.count, self.log = start, [] if log is None else log

    async def started(self, context):
        self.log.append("started")

    async def handle(self, context, envelope):
        match envelope.payload:
            case b"crash":
                raise ValueError("on purpose")
            case b"stop":
                context.stop()
            case b"wait":
                await trio.sleep(100)
            case b"str":
                return "no bytes"
        self.count += 1
        return str(self.count).encode()

    async def stopped(self, context):
        self.log.append("stopped")


async def test_a_function_answers():
    async with running(python("echo", echo)) as (system, _):
        assert await system.ask("echo", b"hello") == b"hello"


async def test_a_class_keeps_its_state_and_starts_fresh_after_a_crash():
    log = []
    actor = python("counter", Counter, arguments=(10, log))
    async with running(actor) as (system, watch):
        assert await system.ask("counter", b"") == b"11"
        assert await system.ask("counter", b"") == b"12"
        with pytest.raises(CalleeFailed, match="ValueError: on purpose"):
            await system.ask("counter", b"crash")
        assert await system.ask("counter", b"") == b"11"
        assert log == ["started", "started"]
        (exited,) = watch.of(ChildExited)
        assert exited.reason.kind is ExitKind.CRASH
        assert exited.restarting
    assert log == ["started", "started", "stopped"]


async def test_the_mailbox_survives_a_crash(autojump_clock):
    got = []

    async def note(context, envelope):
        if envelope.payload == b"crash":
            raise ValueError
        got.append(envelope.payload)

    async with running(python("note", note)) as (system, watch):
        for payload in (b"1", b"crash", b"2", b"3"):
            system.tell("note", payload)
        await trio.sleep(0.2)
        assert got == [b"1", b"2", b"3"]
        (dead,) = watch.of(DeadLetter)
        assert dead.why == "its actor ended: ValueError"


async def test_what_handle_returns_must_be_bytes():
    async with running(python("c", Counter)) as (system, _):
        with pytest.raises(CalleeFailed, match="handle returned str"):
            await system.ask("c", b"str")


async def test_an_actor_that_stops_itself_ends_by_shutdown():
    log = []
    actor = python("c", Counter, arguments=(0, log), restart=RestartType.TRANSIENT)
    async with running(actor) as (system, watch):
        assert await system.ask("c", b"stop") == b"1"
        await trio.testing.wait_all_tasks_blocked()
        (exited,) = watch.of(ChildExited)
        assert (exited.reason.kind, exited.asked) == (ExitKind.SHUTDOWN, False)
        assert str(exited.reason) == "shutdown (Stop: stopped itself)"
        assert log == ["started", "stopped"]
        assert system.find("c") is None
        with pytest.raises(Unavailable, match="c/0 is not running: it ended at"):
            system.tell("c", b"")


async def test_a_permanent_actor_that_stops_itself_is_started_again():
    async with running(python("c", Counter)) as (system, watch):
        await system.ask("c", b"stop")
        assert await system.ask("c", b"") == b"1"
        await trio.testing.wait_all_tasks_blocked()
        assert [e.restarts for e in watch.of(ChildStarted)] == [1]


async def test_actors_reach_each_other():
    got = []

    async def front(context, envelope):
        assert str(context.self_id) == "local/front/0"
        context.tell("back", b"by tell")
        await context.send("back", b"sent")
        return await context.ask("back", envelope.payload)

    async def back(context, envelope):
        got.append((str(envelope.sender), envelope.payload))
        return envelope.payload[::-1]

    async with running(python("back", back), python("front", front)) as (system, _):
        assert await system.ask("front", b"abc") == b"cba"
    assert got == [("local/front/0", w) for w in (b"by tell", b"sent", b"abc")]


async def test_a_cycle_of_asks_is_refused():
    async def ask_other(context, envelope):
        other = "b" if context.self_id.name == "a" else "a"
        try:
            return await context.ask(other, b"")
        except RequestWouldDeadlock as error:
            return str(error).encode()

    async with running(python("a", ask_other), python("b", ask_other)) as (system, _):
        answer = await system.ask("a", b"")
        path = b"would wait for itself: local/b/0 -> local/a/0 -> local/b/0"
        assert answer.startswith(path)


async def test_a_handler_is_cut_off_at_the_deadline_and_the_actor_keeps_running(
    autojump_clock,
):
    async with running(python("c", Counter)) as (system, watch):
        await system.ask("c", b"")
        began = trio.current_time()
        with pytest.raises(AskTimedOut):
            await system.ask("c", b"wait", timeout=2)
        assert await system.ask("c", b"") == b"2"
        assert trio.current_time() - began == pytest.approx(2)
        (failed,) = watch.of(MessageFailed)
        assert "cut off at its deadline" in str(failed.error)
        assert watch.of(ChildExited) == []


async def test_a_message_whose_deadline_passed_is_not_handled(autojump_clock):
    log = []

    async def slow(context, envelope):
        log.append(envelope.payload)
        with trio.CancelScope(shield=True):
            await trio.sleep(5)

    async with running(python("slow", slow)) as (system, watch):
        system.tell("slow", b"1")
        with pytest.raises(AskTimedOut):
            await system.ask("slow", b"2", timeout=1)
        await trio.sleep(10)
        assert log == [b"1"]
        (dead,) = watch.of(DeadLetter)
        assert dead.why == "its deadline had passed"


async def test_a_deadline_does_not_outlive_its_message(autojump_clock):
    async with running(python("c", Counter)) as (system, watch):
        await system.ask("c", b"wait", timeout=500)
        await trio.sleep(450 - trio.current_time())
        system.tell("c", b"wait")
        await trio.sleep(500)
        assert await system.ask("c", b"") == b"3"
        assert watch.of(MessageFailed) == []


async def test_a_full_mailbox_is_not_served_without_checking_in():
    turns = []

    async def note(context, envelope):
        turns.append("message")

    async with running(python("n", note, mailbox=4000)) as (system, _):
        for _ in range(4000):
            system.tell("n", b"")
        with pytest.raises(MailboxFull):
            system.tell("n", b"")
        longest = 0
        while len(turns) < 4000:
            before = len(turns)
            await trio.lowlevel.checkpoint()
            longest = max(longest, len(turns) - before)
        # Two turns may lie between two of ours: Trio shuffles each pass.
        assert longest <= 2 * MESSAGES_PER_TURN


async def test_a_class_without_handle_is_refused_at_its_start():
    class Nothing:
        pass

    with pytest.raises(StartFailed, match="Nothing has no method `handle`") as caught:
        async with running(python("n", Nothing)):
            pass
    assert isinstance(caught.value.__cause__, TypeError)


async def test_a_late_check_finds_that_it_was_asked_to_stop(autojump_clock):
    found = []

    class Late:
        async def handle(self, context, envelope):
            await trio.sleep(5)
            found.append(context.stop_asked.is_set())

        async def stopped(self, context):
            found.append(context.stop_asked.is_set())

    async with running(python("a", Late, shutdown=60.0)) as (system, _):
        system.tell("a", b"")
        await trio.sleep(1)
    assert found == [True, True]


async def test_an_actor_that_is_asked_to_stop_finishes_its_message(autojump_clock):
    log = []

    class Slow:
        async def handle(self, context, envelope):
            await trio.sleep(2)
            log.append(envelope.payload)

        async def stopped(self, context):
            log.append("stopped")

    async with running(python("slow", Slow)) as (system, watch):
        system.tell("slow", b"1")
        system.tell("slow", b"2")
        await trio.testing.wait_all_tasks_blocked()
    assert log == [b"1", "stopped"]
    (dead,) = watch.of(DeadLetter)
    assert dead.why == "its actor was stopped (root was stopped)"


async def test_a_stop_during_the_start_of_an_actor_cuts_it_off(autojump_clock):
    class Slow(Counter):
        async def started(self, context):
            await trio.sleep(9)

    began = trio.current_time()
    with trio.move_on_after(1):
        async with running(python("slow", Slow)):
            pytest.fail("it never gets ready in time")
    assert trio.current_time() - began == pytest.approx(1)


async def test_the_stopped_hook_has_a_limit_even_when_the_end_was_not_requested(
    autojump_clock,
):
    class Clingy(Counter):
        async def stopped(self, context):
            await trio.sleep_forever()

    actor = python("c", Clingy, shutdown=3.0)
    async with running(actor) as (system, _):
        await system.ask("c", b"stop")
        assert await system.ask("c", b"", timeout=10) == b"1"
        assert trio.current_time() == pytest.approx(3.1)


async def test_a_nursery_in_a_handler_crashes_with_the_error_inside():
    async def spread(context, envelope):
        async def fail():
            raise ValueError("inside")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)

    async with running(python("s", spread)) as (system, watch):
        with pytest.raises(CalleeFailed):
            await system.ask("s", b"")
        await trio.testing.wait_all_tasks_blocked()
        (exited,) = watch.of(ChildExited)
        assert str(exited.reason) == "crash (ValueError: inside)"


async def test_a_scope_in_a_handler_and_its_deadline_do_not_mix(autojump_clock):
    async def patient(context, envelope):
        with trio.move_on_after(1):
            await trio.sleep(10)
        with trio.move_on_after(10):
            await trio.sleep(2)
        return b"done"

    async with running(python("p", patient)) as (system, _):
        assert await system.ask("p", b"", timeout=5) == b"done"


async def test_a_handler_that_outlasts_its_deadline_spoils_no_other(autojump_clock):
    handled = []

    async def stubborn(context, envelope):
        with trio.CancelScope(shield=envelope.payload == b"1"):
            await trio.sleep(5)
        handled.append(envelope.payload)

    async with running(python("s", stubborn)) as (system, watch):
        with trio.move_on_after(0.1):
            await system.ask("s", b"1", timeout=1)
        system.tell("s", b"2")
        await trio.sleep(20)
        assert handled == [b"1", b"2"]
        assert watch.of(MessageFailed) == []


async def test_only_the_code_of_an_actor_can_be_interrupted():
    async def look(context, envelope):
        return str(trio.lowlevel.currently_ki_protected()).encode()

    async with running(python("look", look)) as (system, _):
        assert await system.ask("look", b"") == b"False"
