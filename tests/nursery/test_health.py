"""Probes of health: when they are made, what they count, what they lead to."""

from pathlib import Path

import attrs
import pytest
import trio

from airssys.contracts import (
    Artifact,
    ChildExited,
    DeadLetter,
    DefinitionError,
    Directive,
    ExitKind,
    Health,
    HealthChanged,
    HealthStatus,
    Limits,
    SupervisorSpec,
    Unhealthy,
    worst_health,
)
from airssys.nursery import render
from airssys.system._wiring import open_wasm_loader
from pace import PATIENCE

from .company import ARTIFACT, component, python, running
from .fake_guest import FakeComponent, FakeLoader

pytestmark = pytest.mark.usefixtures("handler_kind")


def loader_whose_guests_say(*words):
    return FakeLoader(components={ARTIFACT: FakeComponent(healths=list(words))})


def calls_of(loader):
    return [guest.calls.count("health") for guest in loader.components[ARTIFACT].guests]


def changes(watch):
    return [(e.before.value, e.status.value) for e in watch.of(HealthChanged)]


def ends(watch):
    return [event.reason.kind for event in watch.of(ChildExited)]


async def test_no_actor_is_asked_unless_the_spec_says_so(autojump_clock):
    loader = loader_whose_guests_say("unhealthy")
    async with running(component("c"), loader=loader) as (system, watch):
        await trio.sleep(100)
        assert calls_of(loader) == [0]
        assert system.tree().health is None
        assert changes(watch) == []


async def test_a_healthy_guest_is_asked_once_an_interval(autojump_clock):
    loader = loader_whose_guests_say("healthy")
    async with running(component("c", health=Health()), loader=loader) as (system, w):
        assert system.tree().find("local/c/0").health is HealthStatus.UNKNOWN
        await trio.sleep(4.9)
        assert calls_of(loader) == [0]
        await trio.sleep(0.2)
        assert calls_of(loader) == [1]
        assert system.tree().find("local/c/0").health is HealthStatus.HEALTHY
        await trio.sleep(20)
        assert calls_of(loader) == [5]
        assert changes(w) == [("unknown", "healthy")]


async def test_unhealthy_in_a_row_ends_it_and_the_plan_restarts_it(autojump_clock):
    loader = loader_whose_guests_say(
        "unhealthy",
        "unhealthy",
        "healthy",
        "unhealthy",
        "degraded",
        *["unhealthy"] * 2,
        "healthy",
    )
    async with running(component("c", health=Health()), loader=loader) as (system, w):
        await trio.sleep(34.9)
        assert ends(w) == []
        await trio.sleep(0.3)
        assert ends(w) == [ExitKind.UNHEALTHY]
        (event,) = w.of(ChildExited)
        assert isinstance(event.reason.error, Unhealthy)
        assert event.restarting
        assert calls_of(loader) == [7, 0]
        assert system.tree().find("local/c/0").health is HealthStatus.UNKNOWN
        await trio.sleep(5)
        assert system.tree().find("local/c/0").health is HealthStatus.HEALTHY
        assert system.tree().find("local/c/0").restarts == 1
    assert all(
        g.calls[-1] != "shutdown" for g in loader.components[ARTIFACT].guests[:1]
    )


@pytest.mark.parametrize(
    ("words", "answers", "is_ended"),
    [
        (["hang"], 8.0, True),
        (["sleep:2.5", "healthy"], 8.0, False),
        (["sleep:2.5", "unhealthy"], 12.6, True),
        (["sleep:1.5"], 16.6, False),
        (["sleep:1.5"], 19.1, True),
        (["sleep:0.9"], 60.0, False),
    ],
)
async def test_each_timeout_that_passes_counts(
    words, answers, is_ended, autojump_clock
):
    loader = loader_whose_guests_say(*words)
    async with running(component("c", health=Health()), loader=loader) as (_, watch):
        await trio.sleep(answers + 0.01)
        assert ends(watch) == [ExitKind.UNHEALTHY] * is_ended


async def test_a_probe_overtakes_the_queue_and_waits_for_the_message_being_handled(
    autojump_clock,
):
    loader = loader_whose_guests_say("healthy")
    probed = component("c", health=Health(), limits=Limits(execution_time=100))
    async with running(probed, loader=loader) as (system, _):
        (guest,) = loader.components[ARTIFACT].guests
        system.tell("c", b"sleep:60")
        for _ in range(3):
            system.tell("c", b"count")
        await trio.sleep(59)
        assert guest.calls.count("health") == 0
        await trio.sleep(2)
        assert guest.calls[2:] == ["handle-message", "health"] + ["handle-message"] * 3


async def test_a_message_waits_for_the_probe_and_is_not_lost(autojump_clock):
    loader = loader_whose_guests_say("hang", "healthy")
    async with running(component("c", health=Health()), loader=loader) as (system, w):
        await trio.sleep(6)
        assert await system.ask("c", b"count", timeout=10) == b"1"
        assert ends(w) == [ExitKind.UNHEALTHY]
        assert w.of(DeadLetter) == []


async def test_a_stop_waits_for_the_probe_in_progress(autojump_clock):
    loader = loader_whose_guests_say("sleep:0.5")
    async with running(component("c", health=Health()), loader=loader) as (_, watch):
        await trio.sleep(5.1)
    (guest,) = loader.components[ARTIFACT].guests
    assert guest.calls[-2:] == ["health", "shutdown"]
    assert ends(watch) == [ExitKind.SHUTDOWN]


async def test_a_trap_in_a_probe_is_a_crash(autojump_clock):
    loader = loader_whose_guests_say("trap", "healthy")
    async with running(component("c", health=Health()), loader=loader) as (_, watch):
        await trio.sleep(6)
        assert ends(watch) == [ExitKind.CRASH]


async def test_a_full_machine_says_nothing_of_the_guest(autojump_clock):
    loader = loader_whose_guests_say("fill")
    async with running(component("c", health=Health()), loader=loader) as (_, watch):
        await trio.sleep(60)
        assert ends(watch) == []


async def test_health_is_the_worst_of_the_children_up_the_tree(autojump_clock):
    class Actor:
        def __init__(self, status):
            self.status = status

        async def handle(self, context, envelope):
            self.status = HealthStatus(envelope.payload.decode())

        async def health(self, context):
            return self.status

    def reporter(name, status):
        return python(name, Actor, arguments=(status,), health=Health(threshold=99))

    inner = SupervisorSpec(
        name="inner",
        children=(
            reporter("a", HealthStatus.HEALTHY),
            reporter("b", HealthStatus.DEGRADED),
        ),
    )
    async with running(inner, reporter("c", HealthStatus.HEALTHY)) as (system, watch):
        await trio.sleep(6)
        tree = system.tree()
        assert [node.health.value for node in tree.walk()] == [
            "degraded",
            "degraded",
            "healthy",
            "degraded",
            "healthy",
        ]
        assert "local/b/0 (actor) running, degraded" in render(tree)
        system.tell("c", b"unhealthy")
        await trio.sleep(6)
        assert system.tree().health is HealthStatus.UNHEALTHY
        assert system.tree().find("inner").health is HealthStatus.DEGRADED
        assert (watch.of(HealthChanged)[-1].actor.name, *changes(watch)[-1]) == (
            "c",
            "healthy",
            "unhealthy",
        )
        await system.supervisor("root").terminate_child("local/c/0")
        assert system.tree().find("local/c/0").health is HealthStatus.UNKNOWN


async def test_a_hook_that_raises_is_a_crash_or_what_on_error_says(autojump_clock):
    class Fails:
        async def handle(self, context, envelope):
            pass

        async def health(self, context):
            raise OSError("the disk is gone")

    class Lies(Fails):
        async def health(self, context):
            return "fine"

    resume = ((OSError, Directive.RESUME),)
    async with running(
        python("a", Fails, health=Health()),
        python("b", Fails, health=Health(), on_error=resume),
        python("c", Lies, health=Health(interval=18)),
        restarts=9,
    ) as (_, watch):
        await trio.sleep(5.05)
        assert [(e.actor.name, e.reason.kind) for e in watch.of(ChildExited)] == [
            ("a", ExitKind.CRASH)
        ]
        await trio.sleep(13.05)
        kinds = {e.actor.name: e.reason.kind for e in watch.of(ChildExited)}
        assert kinds["b"] is ExitKind.UNHEALTHY
        assert kinds["c"] is ExitKind.CRASH


@pytest.mark.parametrize(
    ("health", "where"),
    [
        ("often", ".health"),
        (Health(interval=0, timeout=float("inf"), threshold=0), ".health.interval"),
        (Health(threshold=True), ".health.threshold"),
    ],
)
async def test_what_is_not_a_health_is_a_mistake(health, where):
    with pytest.raises(DefinitionError) as caught:
        async with running(component("c", health=health)):
            pass
    mistakes = caught.value.mistakes
    assert mistakes[0].path == "$.root.children[0]" + where
    assert len(mistakes) == (3 if "interval" in where else 1)


async def test_a_function_cannot_be_asked_how_it_is():
    async def handle(context, envelope):
        pass

    with pytest.raises(DefinitionError, match="async def health"):
        async with running(python("a", handle, health=Health())):
            pass


def test_the_worst_of_some():
    h = HealthStatus
    assert worst_health([]) is None
    assert worst_health([None, h.HEALTHY]) is h.HEALTHY
    assert worst_health([h.HEALTHY, h.UNKNOWN]) is h.UNKNOWN
    assert worst_health([h.DEGRADED, h.UNKNOWN]) is h.DEGRADED
    assert worst_health(list(h)) is h.UNHEALTHY
    assert attrs.fields(Health).interval.default == 5.0


async def test_a_real_guest_that_says_unhealthy_is_restarted():
    path = Path(__file__).parent.parent / "guests" / "unhealthy.wat"
    artifact = Artifact.from_text(path.read_text("utf-8"), "unhealthy")
    health = Health(interval=0.001, threshold=2)
    spec = component("c", artifact=artifact, health=health)
    async with running(spec, loader=open_wasm_loader) as (system, _):
        with trio.fail_after(PATIENCE):
            async for event in system.events():
                if isinstance(event, ChildExited):
                    break
        assert event.reason.kind is ExitKind.UNHEALTHY
        assert event.restarting


async def test_nothing_is_known_of_one_that_waits_to_be_restarted(autojump_clock):
    loader = loader_whose_guests_say("degraded")
    async with running(component("c", health=Health()), loader=loader) as (system, _):
        await trio.sleep(6)
        assert system.tree().health is HealthStatus.DEGRADED
        system.tell("c", b"trap")
        await trio.testing.wait_all_tasks_blocked()
        assert system.tree().find("local/c/0").state == "waiting to be restarted"
        assert system.tree().health is HealthStatus.UNKNOWN
