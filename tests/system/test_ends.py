"""However a system ends, it ends in order, and what ended it goes on unchanged."""

# ruff: noqa: PT012 (how a block with a system in it is left is what is tested)
import math

import pytest
import trio

from airssys.contracts import (
    CalleeFailed,
    ChildExited,
    ChildUnstopped,
    ComponentRefused,
    DefinitionError,
    StartFailed,
    SystemGaveUp,
)
from airssys.system import open_system
from airssys.testing import wait_until_idle
from tests.nursery.company import (
    ARTIFACT,
    Artifact,
    blueprint,
    component,
    python,
    running,
)
from tests.nursery.fake_guest import FakeComponent, FakeLoader

pytestmark = pytest.mark.usefixtures("handler_kind")


class Worker:
    """Notes its life in a log; `crash` and `exit` do as they say."""

    def __init__(self, log, error=None, goodbye=0.0):
        self.log, self.error, self.goodbye = log, error, goodbye

    async def started(self, context):
        self.name = context.self_id.name
        self.log.append(f"start {self.name}")

    async def handle(self, context, envelope):
        if envelope.payload == b"crash":
            raise self.error or ValueError("on purpose")
        await trio.sleep(math.inf)

    async def stopped(self, context):
        try:
            await trio.sleep(self.goodbye)
            self.log.append(f"stop {self.name}")
        except trio.Cancelled:
            self.log.append(f"cut off {self.name}")
            raise


IN_ORDER = ["start a", "start b", "stop b", "stop a"]


def workers(log, **options):
    return [python(name, Worker, arguments=(log,), **options) for name in "ab"]


async def test_the_body_returns():
    log = []
    async with running(*workers(log)):
        assert log == IN_ORDER[:2]
    assert log == IN_ORDER


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        KeyboardInterrupt(),
        SystemExit(3),
        ExceptionGroup("g", [ValueError("x")]),
        BaseExceptionGroup("g", [KeyboardInterrupt()]),
    ],
    ids=repr,
)
async def test_the_body_raises(error):
    log = []
    with pytest.raises(type(error)) as caught:
        async with running(*workers(log)):
            raise error
    assert caught.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    assert log == IN_ORDER


async def test_the_surrounding_scope_is_cancelled(autojump_clock):
    log, seen = [], []
    with trio.CancelScope() as scope:
        try:
            async with running(*workers(log)):
                scope.cancel()
                try:
                    await trio.sleep(math.inf)
                except trio.Cancelled as cancelled:
                    seen.append(cancelled)
                    raise
        except trio.Cancelled as cancelled:
            seen.append(cancelled)
            raise
    assert seen[0] is seen[1]
    assert scope.cancelled_caught
    assert log == IN_ORDER


async def test_a_sibling_of_the_surrounding_nursery_crashes():
    log = []

    async def fail():
        raise OSError

    with pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery, running(*workers(log)):
            nursery.start_soon(fail)
            await trio.sleep(math.inf)
    assert len(caught.value.exceptions) == 1
    assert log == IN_ORDER


async def test_stopping_takes_its_time_inside_a_cancelled_scope(autojump_clock):
    log = []
    actors = [python(n, Worker, arguments=(log, None, 3.0)) for n in "ab"]
    with trio.move_on_after(1):
        async with running(*actors):
            await trio.sleep(math.inf)
    assert trio.current_time() == pytest.approx(7)
    assert log == IN_ORDER


async def test_the_whole_stop_has_a_limit(autojump_clock):
    log = []
    actors = [
        python(
            n,
            Worker,
            arguments=(log, None, 99),
            shutdown=math.inf,
            hook_timeout=math.inf,
        )
        for n in "ab"
    ]
    async with running(*actors, stop_timeout=10.0):
        pass
    assert trio.current_time() == pytest.approx(10)
    assert log == [*IN_ORDER[:2], "cut off b"]


async def test_an_actor_that_will_not_end_is_reported_and_waited_for(autojump_clock):
    async def hostile(context, envelope):
        with trio.CancelScope(shield=True):
            await trio.sleep(100)

    async with running(python("h", hostile), stop_timeout=3.0) as (system, watch):
        system.tell("h", b"")
        await wait_until_idle()
    assert trio.current_time() == pytest.approx(100)
    assert [e.child for e in watch.of(ChildUnstopped)] == ["local/h/0"]


async def test_the_root_gives_up():
    log = []
    was_cancelled = False
    with pytest.raises(SystemGaveUp) as caught:
        async with running(*workers(log), restarts=1) as (system, _):
            system.tell("a", b"crash")
            system.tell("a", b"crash")
            try:
                await trio.sleep(math.inf)
            except trio.Cancelled:
                was_cancelled = True
                raise
    assert was_cancelled
    (offence,) = caught.value.chain
    assert (offence.supervisor, offence.child) == ("root", "local/a/0")
    assert (offence.restarts, offence.reason) == (2, "crash (ValueError: on purpose)")
    assert log[-1] == "stop b"
    assert "root: local/a/0 failed, restart 2 within 60 s" in str(caught.value)


async def test_the_root_gives_up_while_the_body_fails():
    with pytest.raises(SystemGaveUp) as caught:
        async with running(*workers([]), restarts=0) as (system, _):
            system.tell("a", b"crash")
            try:
                await trio.sleep(math.inf)
            finally:
                raise OSError("the body's own")
    assert isinstance(caught.value.__context__, OSError)


@pytest.mark.parametrize("passes", range(4))
async def test_the_root_gives_up_while_the_body_meets_its_ruins(passes):
    with pytest.raises(SystemGaveUp):
        async with running(*workers([]), restarts=0) as (system, _):
            with pytest.raises(CalleeFailed):
                await system.ask("a", b"crash")
            for _ in range(passes):
                await trio.lowlevel.checkpoint()
            await system.ask("a", b"")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_an_actor_raises_what_must_leave_the_tree(kind):
    log, error = [], kind()
    actors = [python(n, Worker, arguments=(log, error)) for n in "ab"]
    with pytest.raises(kind) as caught:
        async with running(*actors) as (system, _):
            system.tell("a", b"crash")
            await trio.sleep(math.inf)
    assert caught.value is error
    assert log == ["start a", "start b", "stop b"]


async def test_an_exit_of_the_body_comes_before_a_root_that_gave_up():
    error = SystemExit(1)
    with pytest.raises(SystemExit) as caught:
        async with running(*workers([]), restarts=0) as (system, _):
            system.tell("a", b"crash")
            try:
                await trio.sleep(math.inf)
            finally:
                raise error
    assert caught.value is error


async def test_a_failing_start_stops_what_was_started():
    class Broken(Worker):
        async def started(self, context):
            raise OSError("no")

    log = []
    with pytest.raises(StartFailed) as caught:
        async with running(*workers(log), python("c", Broken, arguments=(log,))):
            log.append("opened")
    assert log == IN_ORDER
    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value).startswith(
        "root: local/c/0 did not start: crash (OSError: no). "
    )


async def test_a_cancelled_opening_stops_what_was_started(autojump_clock):
    class Slow(Worker):
        async def started(self, context):
            await trio.sleep(100)

    log = []
    with trio.move_on_after(1) as scope:
        async with running(*workers(log), python("c", Slow, arguments=(log,))):
            log.append("opened")
    assert scope.cancelled_caught
    assert trio.current_time() == pytest.approx(1)
    assert log == IN_ORDER


async def test_leaving_does_not_wait_for_a_compile(autojump_clock):
    loader = FakeLoader(seconds=100)
    with trio.move_on_after(1):
        async with running(component("c"), loader=loader):
            pytest.fail("it did not open")
    assert trio.current_time() == pytest.approx(1)
    assert not loader.is_open


async def test_artifacts_are_loaded_once_each_and_all_at_once(autojump_clock):
    loader = FakeLoader(seconds=5)
    other = Artifact.from_text("(component other)")
    specs = [component("c1"), component("c2"), component("c3", artifact=other)]
    async with running(*specs, loader=loader):
        assert loader.loads == 2
        assert trio.current_time() == pytest.approx(5)
        assert loader.is_open
    assert not loader.is_open


async def test_all_refused_components_are_named():
    loader = FakeLoader(error=ComponentRefused("x", "imports wasi:io", "stub it"))
    specs = component("c1"), component("c2", artifact=Artifact.from_text("(other)"))
    with pytest.raises(ComponentRefused):
        async with running(*specs, loader=loader):
            pytest.fail("it did not open")


async def test_a_wrong_blueprint_is_refused_before_anything_happens():
    loader = FakeLoader()
    with pytest.raises(DefinitionError, match="is already used"):
        open_system(blueprint(component("c"), component("c")), open_loader=loader)
    assert loader.loads == 0


async def test_without_components_no_engine_is_opened():
    def no_engine(settings):
        raise AssertionError("it is not needed")

    async with running(*workers([]), loader=no_engine):
        pass


async def test_closing_closes_guests_before_the_engine():
    loader = FakeLoader(components={ARTIFACT: FakeComponent()})
    with pytest.raises(OSError, match="the body's own"):
        async with running(component("c"), loader=loader):
            raise OSError("the body's own")
    assert loader.components[ARTIFACT].open_guests == 0


async def test_ends_are_reported_in_order():
    async with running(*workers([])) as (_, watch):
        pass
    ended = [event.child for event in watch.of(ChildExited)]
    assert ended == ["local/b/0", "local/a/0"]


async def test_messages_after_the_end_are_refused():
    async with running(*workers([])) as (system, _):
        pass
    with pytest.raises(Exception, match="a/0 is not running: root was stopped at"):
        system.tell("a", b"")


async def test_messages_get_through_until_the_last_actor_has_stopped(autojump_clock):
    answers = []

    class Farewell:
        async def handle(self, context, envelope):
            return b"goodbye"

        async def stopped(self, context):
            if context.self_id.name == "b":
                answers.append(await context.ask("a", b"", timeout=3))

    with trio.move_on_after(1):
        async with running(python("a", Farewell), python("b", Farewell)):
            await trio.sleep(math.inf)
    assert answers == [b"goodbye"]


async def test_opening_and_closing_cannot_be_interrupted_halfway():
    protected = []

    class Loader(FakeLoader):
        async def __aenter__(self):
            protected.append(trio.lowlevel.currently_ki_protected())
            return await super().__aenter__()

        async def __aexit__(self, *exc):
            protected.append(trio.lowlevel.currently_ki_protected())
            await super().__aexit__(*exc)

    async with running(component("c"), loader=Loader()):
        pass
    assert protected == [True, True]
