"""Real actors, components and plain functions below real supervisors."""

import pytest
import trio

from airssys.contracts import (
    BRUTAL_KILL,
    NO_BACKOFF,
    Artifact,
    AutoShutdown,
    Backoff,
    Blueprint,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    ComponentId,
    DeadLetter,
    DeadReason,
    Directive,
    DynamicSupervisorSpec,
    ExitKind,
    MessageFailed,
    NoAnswer,
    Refusal,
    RestartType,
    Started,
    Strategy,
    SupervisorSpec,
    TaskSpec,
)
from airssys.nursery import Ignore, find_actor
from airssys.system import open_system
from airssys.testing import wait_until_idle

from .company import component, python, running
from .fake_guest import FakeLoader


class Tally:
    """Counts what it handles; crashes, resumes, takes its time."""

    def __init__(self, *arguments):
        self.arguments, self.count = arguments, 0

    async def handle(self, context, envelope):
        match envelope.payload:
            case b"crash":
                raise OSError("crash")
            case b"oops":
                raise ValueError("oops")
            case b"slow":
                await trio.sleep(1)
            case b"arguments":
                return repr(self.arguments).encode()
        self.count += 1
        return str(self.count).encode()


def all_of(*children, strategy=Strategy.ONE_FOR_ALL, name="all", **options):
    return SupervisorSpec(name=name, children=children, strategy=strategy, **options)


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
@pytest.mark.parametrize("backoff", [NO_BACKOFF, Backoff()])
async def test_mailboxes_outlive_a_restart_that_is_shared(
    strategy, backoff, autojump_clock
):
    first = python("a", Tally, backoff=backoff)
    sharing = [python("b", Tally), component("c")]
    spec = all_of(first, *sharing, strategy=strategy)
    async with running(spec, loader=FakeLoader()) as (system, watch):
        for name in "abc":
            assert await system.ask(name, b"count") == b"1"
        system.tell("a", b"crash")
        await wait_until_idle()
        for name in "abc":  # reached while it is down or starts, handled afterwards
            assert await system.ask(name, b"count") == b"1"
        await wait_until_idle()
        assert watch.of(DeadLetter)[0].why.startswith("its actor ended")
        assert len(watch.of(DeadLetter)) == 1
        assert [e.restarts for e in watch.of(ChildStarted)] == [1, 1, 1]


async def test_an_actor_that_resumes_keeps_its_state(autojump_clock):
    spec = python("a", Tally, on_error=((ValueError, Directive.RESUME),))
    async with running(spec) as (system, watch):
        assert await system.ask("a", b"") == b"1"
        with pytest.raises(CalleeFailed, match="oops"):
            await system.ask("a", b"oops")
        assert await system.ask("a", b"") == b"2"
        (failed,) = watch.of(MessageFailed)
        assert isinstance(failed.error, ValueError)
        assert watch.of(ChildExited) == []
        with pytest.raises(CalleeFailed):
            await system.ask("a", b"crash")
        assert await system.ask("a", b"") == b"1"


async def test_an_error_that_asks_to_stop_leaves_a_permanent_actor_stopped(
    autojump_clock,
):
    spec = python("a", Tally, on_error=((OSError, Directive.STOP),))
    async with running(spec) as (system, watch):
        system.tell("a", b"crash")
        await trio.sleep(5)
        (exited,) = watch.of(ChildExited)
        assert not exited.restarting
        assert system.find("a") is None


async def test_an_escalated_error_is_judged_one_level_up(autojump_clock):
    escalating = python("a", Tally, on_error=((OSError, Directive.ESCALATE),))
    inner = all_of(
        escalating,
        python("b", Tally),
        restart=RestartType.TRANSIENT,
        on_error=((FileNotFoundError, Directive.STOP),),
    )
    async with running(inner) as (system, watch):
        system.tell("a", b"crash")
        await trio.sleep(5)
        ends = [(e.child, e.reason.kind, e.restarting) for e in watch.of(ChildExited)]
        assert ends == [
            ("local/a/0", ExitKind.CRASH, False),
            ("local/b/0", ExitKind.SHUTDOWN, False),
            ("all", ExitKind.CRASH, True),
        ]
        assert await system.ask("a", b"") == b"1"


@pytest.mark.parametrize("drain", [False, True])
async def test_an_actor_that_drains_handles_what_is_queued_first(drain, autojump_clock):
    spec = all_of(python("a", Tally, drain=drain, shutdown=60.0))
    async with running(spec) as (system, watch):
        admin = system.supervisor("root/all")
        answers = []

        async def ask():
            answers.append(await system.ask("a", b"", timeout=60))

        system.tell("a", b"slow")
        async with trio.open_nursery() as nursery:
            await wait_until_idle()
            for _ in range(3):
                system.tell("a", b"slow")
            nursery.start_soon(admin.terminate_child, "local/a/0")
            await trio.sleep(0.5)
            system.tell("a", b"late")
        assert trio.current_time() == pytest.approx(4 if drain else 1)
        assert len(watch.of(DeadLetter)) == (1 if drain else 4)


async def test_a_long_handler_is_notified_that_it_is_to_stop(autojump_clock):
    received = []

    async def work(context, envelope):
        await context.stop_asked.wait()
        received.append(trio.current_time())
        await trio.sleep(2)

    async with running(python("a", work, shutdown=60.0)) as (system, watch):
        system.tell("a", b"")
        await trio.sleep(7)
    assert received == [7]
    assert trio.current_time() == pytest.approx(9)
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "local/a/0")
    assert exited.reason.kind is ExitKind.SHUTDOWN


async def test_draining_ends_with_the_shutdown_time(autojump_clock):
    spec = python("a", Tally, drain=True, shutdown=2.5)
    async with running(spec) as (system, watch):
        for _ in range(10):
            system.tell("a", b"slow")
        await wait_until_idle()
    assert trio.current_time() == pytest.approx(2.5)
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "local/a/0")
    assert exited.reason.kind is ExitKind.KILLED


async def test_a_supervisor_ends_with_its_significant_child(autojump_clock):
    async def main():
        await trio.sleep(3)

    task = TaskSpec(
        name="main",
        function=main,
        restart=RestartType.TRANSIENT,
        significant=True,
    )
    rule = AutoShutdown.ANY_SIGNIFICANT
    transient = RestartType.TRANSIENT
    inner = all_of(python("a", Tally), task, auto_shutdown=rule, restart=transient)
    async with running(inner, restarts=0) as (_, watch):
        await trio.sleep(10)
    ended = [e.child for e in watch.of(ChildExited)]
    assert ended[:3] == ["main", "local/a/0", "all"]


# ----------------------------------------------------------------------- tasks


async def test_a_plain_function_is_ready_at_once_and_cancelled_to_stop(autojump_clock):
    log = []

    async def serve(word):
        try:
            log.append(word)
            await trio.sleep_forever()
        finally:
            log.append("over")

    task = TaskSpec(name="serve", function=serve, arguments=("hello",))
    async with running(task) as (system, watch):
        await wait_until_idle()
        assert system.tree().find("serve").kind == "task"
    assert log == ["hello", "over"]
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "serve")
    assert exited.reason.kind is ExitKind.SHUTDOWN
    assert exited.problem is None
    assert trio.current_time() == 0


async def test_a_function_with_a_context_says_when_it_is_ready_and_is_asked_to_stop(
    autojump_clock,
):
    log = []

    async def serve(task, word):
        await trio.sleep(2)
        task.started()
        task.started()
        await task.stop_asked.wait()
        await trio.sleep(1)
        log.append(word)

    task = TaskSpec(name="t", function=serve, arguments=("bye",), context=True)
    async with running(task) as (_, watch):
        assert trio.current_time() == pytest.approx(2)
    assert log == ["bye"]
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "t")
    assert exited.reason.kind is ExitKind.SHUTDOWN


@pytest.mark.parametrize(("shutdown", "ends"), [(1.5, 1.5), (0.0, 0), (BRUTAL_KILL, 0)])
async def test_a_function_that_does_not_end_is_cancelled(
    shutdown, ends, autojump_clock
):
    async def serve(task):
        task.started()
        await trio.sleep_forever()

    task = TaskSpec(name="t", function=serve, context=True, shutdown=shutdown)
    async with running(task) as (_, watch):
        await wait_until_idle()
    assert trio.current_time() == pytest.approx(ends)
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "t")
    assert exited.reason.kind is ExitKind.KILLED


async def test_a_task_is_restarted_like_any_child(autojump_clock):
    runs = []

    async def work():
        runs.append(trio.current_time())
        await trio.sleep(1)
        raise ValueError(len(runs))

    task = TaskSpec(name="t", function=work, on_error=((OSError, Directive.STOP),))
    async with running(task, restarts=9) as (system, _):
        await trio.sleep(3)
        assert runs == pytest.approx([0, 1.1, 2.25])
        root = system.supervisor("root")
        assert root.which_child("t").restarts == 2


# ------------------------------------------------------------- dynamic children


async def test_a_dynamic_supervisor_of_real_actors(autojump_clock):
    template = python("worker", Tally, arguments=(1,))
    pool = DynamicSupervisorSpec(name="pool", template=template, max_children=2)
    async with running(pool) as (system, _):
        admin = system.supervisor("root/pool")
        assert await admin.start_from_template("x") == Started("local/worker/1")
        assert await admin.start_from_template() == Started("local/worker/2")
        refused = await admin.start_from_template()
        assert refused.why is Refusal.MAX_CHILDREN
        first = ComponentId("local", "worker", "1")
        assert await system.ask(first, b"arguments") == b"(1, 'x')"
        system.tell(first, b"crash")
        assert await system.ask(first, b"arguments") == b"(1, 'x')"
        await wait_until_idle()
        assert system.tree().find("local/worker/1").restarts == 1
        await admin.terminate_child(first)
        assert system.find(first) is None
        assert (await system.supervisor("root/x").start_from_template()).why is (
            Refusal.NOT_RUNNING
        )


async def test_a_dynamic_supervisor_of_components(autojump_clock):
    pool = DynamicSupervisorSpec(name="pool", template=component("c"))
    async with running(pool, loader=FakeLoader()) as (system, _):
        admin = system.supervisor("root/pool")
        assert await admin.start_from_template(b"data") == Started("local/c/1")
        refused = await admin.start_from_template(b"data", 2)
        assert refused.why is Refusal.INVALID_SPEC
        started = ComponentId("local", "c", "1")
        assert await system.ask(started, b"count") == b"1"


async def test_an_actor_that_ignores_its_start_is_not_a_failure(autojump_clock):
    class Shy(Tally):
        async def started(self, context):
            raise Ignore

    async with running(python("a", Shy), python("b", Tally)) as (system, _):
        assert system.find("a") is None
        assert await system.ask("b", b"") == b"1"


async def test_children_added_to_a_running_system(autojump_clock):
    async with running(python("a", Tally)) as (system, _):
        root = system.supervisor("root")
        assert await root.start_child(python("b", Tally)) == Started("local/b/0")
        assert await system.ask("b", b"") == b"1"
        assert await root.start_child(all_of(python("c", Tally))) == Started("all")
        assert await system.ask("c", b"") == b"1"
        taken = await system.supervisor("root/all").start_child(python("b", Tally))
        assert taken.why is Refusal.NAME_TAKEN
        await root.terminate_child("all")
        assert system.find("c") is None
        assert (await root.restart_child("all")) == Started("all")
        assert await system.ask("c", b"") == b"1"
    assert (await root.start_child(python("d", Tally))).why is Refusal.NOT_RUNNING


async def test_code_does_not_run_under_a_name_that_is_taken(autojump_clock):
    made = []

    class Loud(Tally):
        def __init__(self):
            made.append(self)
            super().__init__()

    async with running(python("a", Tally), all_of()) as (system, _):
        answer = await system.supervisor("root/all").start_child(python("a", Loud))
        assert answer.why is Refusal.NAME_TAKEN
        assert made == []
        assert await system.ask("a", b"") == b"1"


async def test_a_component_that_the_blueprint_does_not_name_is_loaded(autojump_clock):
    async with running(component("c"), loader=FakeLoader()) as (system, _):
        other = component("d", artifact=Artifact.from_text("(component)", "other"))
        answer = await system.supervisor("root").start_child(other)
        assert answer == Started("local/d/0")
        assert await system.ask("d", b"count") == b"1"
        assert await system.ask("c", b"count") == b"1"


async def test_a_system_ends_with_its_significant_child(autojump_clock):
    async def main():
        await trio.sleep(3)

    log = []
    task = TaskSpec(
        name="main", function=main, restart=RestartType.TRANSIENT, significant=True
    )
    root = all_of(
        python("a", Tally),
        task,
        name="root",
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )
    async with open_system(Blueprint(root=root)):
        try:
            await trio.sleep_forever()
        finally:
            log.append(trio.current_time())
    assert log == pytest.approx([3])


async def test_an_error_that_escapes_the_root_by_escalation_is_raised(autojump_clock):
    escalating = python("a", Tally, on_error=((OSError, Directive.ESCALATE),))

    async def run():
        async with running(escalating) as (system, _):
            system.tell("a", b"crash")
            await trio.sleep_forever()

    with pytest.raises(OSError, match="crash"):
        await run()


@pytest.mark.parametrize("kind", ["python", "component"])
async def test_a_stop_that_comes_just_after_a_message_does_not_cut_it_off(
    kind, autojump_clock
):
    """The actor was woken for it already, and has not taken it yet."""
    spec = python("a", Tally) if kind == "python" else component("a")
    async with running(all_of(spec)) as (system, watch):
        await wait_until_idle()
        system.tell("a", b"slow" if kind == "python" else b"sleep:1")
        actor = find_actor(system._root, ComponentId.parse("a")).cell.present
        actor.stop_soon()
        await trio.sleep(10)
        assert watch.of(MessageFailed) == []
        assert watch.of(DeadLetter) == []
        (ended,) = watch.of(ChildExited)
        assert ended.reason.kind is ExitKind.NORMAL


async def test_a_handler_with_a_nursery_that_is_killed_has_not_crashed(autojump_clock):
    async def wait(context, envelope):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.sleep_forever()

    async with running(python("a", wait, shutdown=0.5)) as (system, watch):
        failed = []

        async def ask():
            with pytest.raises(CalleeFailed) as raised:
                await system.ask("a", b"", timeout=100)
            failed.append(raised.value.reason)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            await system.supervisor("root").terminate_child("local/a/0")
        assert failed == [NoAnswer.STOPPED]
        (letter,) = watch.of(DeadLetter)
        assert letter.reason is DeadReason.STOPPED
