"""What a Python actor may do when it starts, failed and ends, and for how long."""

import math

import pytest
import trio
import trio.testing

from airssys.contracts import (
    NO_BACKOFF,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    Directive,
    ExitKind,
    Health,
    HealthStatus,
    HookFailed,
    Problem,
    RestartType,
    StartFailed,
    Strategy,
    SupervisorGaveUp,
    SupervisorSpec,
    SystemGaveUp,
)

from .company import python, running

pytestmark = pytest.mark.usefixtures("handler_kind")


class Actor:
    """Notes what it gets; `does` maps a hook to an async function."""

    def __init__(self, log, does=None):
        self.log, self.does = log, does or {}

    async def note(self, hook, *arguments):
        self.log.append((hook, *arguments))
        if hook in self.does:
            await self.does[hook]()

    async def started(self, context):
        await self.note("started")

    async def handle(self, context, envelope):
        if envelope.payload == b"crash":
            raise ValueError("on purpose")
        if envelope.payload == b"stop":
            context.stop()
        return b"ok"

    async def before_restart(self, context, reason):
        await self.note("before_restart", reason.kind)

    async def stopped(self, context):
        await self.note("stopped")

    async def health(self, context):
        return HealthStatus.UNHEALTHY


async def crash(system, name="a"):
    with pytest.raises(CalleeFailed):
        await system.ask(name, b"crash")


async def hang():
    await trio.sleep_forever()


async def fail():
    raise RuntimeError("in the hook")


def actor(log, name="a", **options):
    does = {hook: options.pop(hook) for hook in list(options) if hook in HOOKS}
    options = {"backoff": NO_BACKOFF} | options
    return python(name, Actor, arguments=(log, does), **options)


HOOKS = {"started", "before_restart", "stopped"}
STARTED, STOPPED = ("started",), ("stopped",)
BEFORE = ("before_restart", ExitKind.CRASH)


async def test_hooks_are_called_in_order(autojump_clock):
    log = []
    async with running(actor(log)) as (system, _):
        await crash(system)
        assert await system.ask("a", b"") == b"ok"
    assert log == [STARTED, BEFORE, STARTED, STOPPED]


async def test_the_instance_that_failed_is_notified_with_its_state(autojump_clock):
    log, saved = [], []

    class Saving(Actor):
        seen = 0

        async def handle(self, context, envelope):
            self.seen += 1
            return await super().handle(context, envelope)

        async def before_restart(self, context, reason):
            saved.append((self.seen, str(reason), str(context.self_id)))
            await context.send("b", b"news")

    async def other(context, envelope):
        saved.append(envelope.payload)

    a = python("a", Saving, arguments=(log,), backoff=NO_BACKOFF)
    async with running(a, python("b", other)) as (system, _):
        await system.ask("a", b"")
        await crash(system)
        await system.ask("a", b"")
    assert saved == [(2, "crash (ValueError: on purpose)", "local/a/0"), b"news"]


@pytest.mark.parametrize(
    "options",
    [
        {"restart": RestartType.TEMPORARY},
        {"on_error": ((ValueError, Directive.STOP),)},
        {"on_error": ((ValueError, Directive.RESUME),)},
    ],
    ids=["temporary", "stop", "resume"],
)
async def test_without_a_restart_there_is_nothing_before_it(options, autojump_clock):
    log = []
    async with running(actor(log, **options)) as (system, _):
        await crash(system)
        await trio.testing.wait_all_tasks_blocked()
        assert BEFORE not in log


async def test_an_error_may_ask_for_a_restart_that_the_type_does_not(autojump_clock):
    log = []
    options = {"restart": RestartType.TEMPORARY}
    options["on_error"] = ((ValueError, Directive.RESTART),)
    async with running(actor(log, **options)) as (system, _):
        await crash(system)
        assert await system.ask("a", b"") == b"ok"
    assert log == [STARTED, BEFORE, STARTED, STOPPED]


async def test_one_that_fails_its_probes_is_notified(autojump_clock):
    log = []
    probes = Health(interval=1.0, timeout=1.0, threshold=1)
    async with running(actor(log, health=probes)):
        await trio.sleep(1.5)
    assert log[:2] == [STARTED, ("before_restart", ExitKind.UNHEALTHY)]


async def test_one_that_stops_itself_gets_only_the_stopped_hook(autojump_clock):
    log = []
    async with running(actor(log)) as (system, _):
        await system.ask("a", b"stop")
        await system.ask("a", b"")
    assert log == [STARTED, STOPPED, STARTED, STOPPED]


async def test_one_that_is_stopped_along_with_a_sibling_gets_the_stopped_hook(
    autojump_clock,
):
    log, other = [], []
    pair = SupervisorSpec(
        name="pair",
        children=(actor(log, "a"), actor(other, "b")),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(pair) as (system, _):
        await crash(system)
        await trio.testing.wait_all_tasks_blocked()
        await system.ask("b", b"")
    assert log == [STARTED, BEFORE, STARTED, STOPPED]
    assert other == [STARTED, STOPPED, STARTED, STOPPED]


@pytest.mark.parametrize("does", [hang, fail])
async def test_a_failing_start_fails_the_start_and_nothing_else(does, autojump_clock):
    log = []
    began = trio.current_time()
    with pytest.RaisesGroup(StartFailed, allow_unwrapped=True):
        async with running(actor(log, started=does, start_timeout=2.0)):
            pytest.fail("it never gets ready")
    assert trio.current_time() - began <= 2.0 + 1.0
    assert log == [STARTED]


async def hold_on():
    with trio.CancelScope(shield=True):
        await trio.sleep(2)


@pytest.mark.parametrize(("does", "ends"), [(hang, 1), (hold_on, 2)])
async def test_one_that_is_stopped_while_it_starts_never_was_ready(
    does, ends, autojump_clock
):
    """Also if its code does not let itself be cut off, and its start succeeds."""
    log = []
    async with running(actor([], "other")) as (system, watch):
        admin, began = system.supervisor("root"), trio.current_time()
        async with trio.open_nursery() as nursery:
            late = actor(log, started=does)
            nursery.start_soon(admin.start_child, late)
            await trio.sleep(1)
            await admin.terminate_child("local/a/0")
            assert trio.current_time() - began == ends
        assert log == [STARTED]
        assert [e for e in watch.of(ChildStarted) if e.child == "local/a/0"] == []
        (ended,) = watch.of(ChildExited)
        assert (ended.reason.kind, ended.asked) == (ExitKind.SHUTDOWN, True)


async def test_one_that_is_stopped_while_it_starts_again_begins_no_message(
    autojump_clock,
):
    log, starts, handled = [], [], []

    class Noting(Actor):
        async def handle(self, context, envelope):
            handled.append(envelope.payload)
            return await super().handle(context, envelope)

    async def hold_on_again():
        starts.append(trio.current_time())
        if len(starts) == 2:
            await hold_on()

    arguments = (log, {"started": hold_on_again})
    spec = python("a", Noting, arguments=arguments, backoff=NO_BACKOFF)
    async with running(spec) as (system, _):
        system.tell("a", b"crash")
        system.tell("a", b"queued")
        await trio.sleep(1.5)
        assert len(starts) == 2
        await system.supervisor("root").terminate_child("local/a/0")
        assert trio.current_time() - starts[1] == 2
        assert handled == [b"crash"]


async def test_a_restart_whose_start_hangs_is_tried_again(autojump_clock):
    log, starts = [], []

    async def hang_once():
        starts.append(trio.current_time())
        if len(starts) == 2:
            await trio.sleep_forever()

    spec = actor(log, started=hang_once, start_timeout=2.0)
    async with running(spec) as (system, watch):
        await crash(system)
        assert await system.ask("a", b"", timeout=10) == b"ok"
        assert starts[2] - starts[1] == 2.0
        (failed,) = watch.of(ChildStartFailed)
        assert failed.restarting


@pytest.mark.parametrize(
    ("does", "kind", "seconds"), [(hang, TimeoutError, 3.0), (fail, RuntimeError, 0.0)]
)
async def test_a_failing_hook_before_a_restart_delays_it_at_most(
    does, kind, seconds, autojump_clock
):
    log = []
    spec = actor(log, before_restart=does, hook_timeout=3.0)
    async with running(spec) as (system, watch):
        began = trio.current_time()
        await crash(system)
        assert trio.current_time() == began  # the asker does not wait for a hook
        assert await system.ask("a", b"", timeout=10) == b"ok"
        assert trio.current_time() - began == seconds
        (failed,) = watch.of(HookFailed)
        assert (failed.hook, type(failed.error)) == ("before_restart", kind)
        (ended,) = watch.of(ChildExited)
        assert str(ended.reason) == "crash (ValueError: on purpose)"


@pytest.mark.parametrize("does", [hang, fail])
async def test_a_failing_goodbye_ends_all_the_same(does, autojump_clock):
    log, other = [], []
    spec = actor(log, stopped=does, hook_timeout=3.0, shutdown=math.inf)
    began = trio.current_time()
    async with running(actor(other, "b"), spec) as (_, watch):
        pass
    assert trio.current_time() - began == (3.0 if does is hang else 0.0)
    assert other == [STARTED, STOPPED]
    ended = {e.child: e for e in watch.of(ChildExited)}["local/a/0"]
    if does is hang:
        assert ended.reason.kind is ExitKind.SHUTDOWN
        assert [e.hook for e in watch.of(HookFailed)] == ["stopped"]
    else:
        assert ended.problem is Problem.SHUTDOWN_ERROR


async def test_a_goodbye_has_the_shutdown_time(autojump_clock):
    began = trio.current_time()
    async with running(actor([], stopped=hang, hook_timeout=1.0, shutdown=2.0)):
        pass
    assert trio.current_time() - began == 2.0


@pytest.mark.parametrize("shutdown", [0.0, 2.0])
@pytest.mark.parametrize("by_itself", [False, True])
async def test_a_stopped_hook_that_hangs_is_reported_as_killed_each_time(
    shutdown, by_itself, autojump_clock
):
    specs = [
        actor(
            [], f"a{i}", stopped=hang, shutdown=shutdown, restart=RestartType.TEMPORARY
        )
        for i in range(10)
    ]
    async with running(*specs) as (system, watch):
        began = trio.current_time()
        for spec in specs if by_itself else ():
            system.tell(spec.id, b"stop")
        await trio.sleep(3)
        assert len(watch.of(ChildExited)) == (10 if by_itself else 0)
    ends = [e.reason.kind for e in watch.of(ChildExited)]
    assert ends == [ExitKind.KILLED] * 10
    assert trio.current_time() - began == 3 + (0 if by_itself else 10 * shutdown)


async def test_one_that_ends_itself_and_is_then_asked_has_the_time_from_then_on(
    autojump_clock,
):
    spec = actor([], stopped=hang, shutdown=2.0)
    async with running(spec) as (system, watch):
        began = trio.current_time()
        system.tell("a", b"stop")
        await trio.sleep(1.5)
    (ended,) = watch.of(ChildExited)
    assert ended.asked
    assert ended.reason.kind is ExitKind.KILLED
    assert trio.current_time() - began == 3.5


async def test_a_hook_that_hangs_delays_no_other_actor(autojump_clock):
    log = []
    spec = actor(log, before_restart=hang, hook_timeout=50.0)
    async with running(spec, actor([], "b")) as (system, _):
        await crash(system)
        root = system.supervisor("root")
        began = trio.current_time()
        assert len(root.which_children()) == 2
        await root.terminate_child("local/b/0")
        await root.restart_child("local/b/0")
        assert await system.ask("b", b"") == b"ok"
        await root.terminate_child("local/a/0")
        assert trio.current_time() == began
    assert log == [STARTED, BEFORE]


async def test_a_hook_that_will_not_end_is_cancelled_with_its_actor(autojump_clock):
    async def stubborn():
        with trio.CancelScope(shield=True):
            await trio.sleep(4)

    spec = actor([], before_restart=stubborn, hook_timeout=1.0, shutdown=1.0)
    async with running(spec) as (system, _):
        await crash(system)
        began = trio.current_time()
        assert len(system.supervisor("root").which_children()) == 1
        await system.supervisor("root").terminate_child("local/a/0")
        assert trio.current_time() - began == 4


async def test_the_supervisor_may_give_up_after_the_hook(autojump_clock):
    log = []
    with pytest.RaisesGroup(SystemGaveUp, allow_unwrapped=True):
        async with running(actor(log), restarts=0) as (system, watch):
            await crash(system)
            await trio.sleep(1)
    assert log == [STARTED, BEFORE]
    assert len(watch.of(SupervisorGaveUp)) == 1


async def test_what_must_leave_the_tree_leaves_it_from_a_hook_too(autojump_clock):
    async def interrupt():
        raise KeyboardInterrupt

    async def program():
        async with running(actor([], before_restart=interrupt)) as (system, _):
            await crash(system)
            await trio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        await program()
