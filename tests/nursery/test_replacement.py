"""New code in the place of a running component."""

from pathlib import Path

import pytest
import trio

from airssys.contracts import (
    Artifact,
    CalleeFailed,
    ChildExited,
    ComponentRefused,
    DeadLetter,
    Done,
    ExitKind,
    Health,
    HealthStatus,
    Refusal,
    Unhealthy,
)
from airssys.system._wiring import open_wasm_loader

from .company import ARTIFACT, component, python, running
from .fake_guest import FakeComponent, FakeLoader

NEW = Artifact.from_text("(component (; new ;))", "new")


@pytest.fixture
def old():
    return FakeComponent()


@pytest.fixture
def new():
    return FakeComponent()


@pytest.fixture
def loader(old, new):
    return FakeLoader(components={ARTIFACT: old, NEW: new})


async def test_new_code_takes_over_and_the_old_one_says_goodbye(loader, old, new):
    async with running(component("c"), loader=loader) as (system, watch):
        assert await system.ask("c", b"count") == b"1"
        assert await system.replace("c", NEW) == Done("local/c/0")
        assert await system.ask("c", b"count") == b"1"
        assert old.guests[0].calls[-1] == "shutdown"
        assert old.guests[0].is_closed
        assert new.guests[0].calls[:3] == ["initialize", "metadata", "health"]
        assert watch.of(ChildExited) == []
        with pytest.raises(CalleeFailed):
            await system.ask("c", b"trap")
        assert await system.ask("c", b"count") == b"1"
        assert len(new.guests) == 2
        assert len(old.guests) == 1


async def test_it_takes_over_between_two_messages_and_nothing_is_lost(
    loader, old, new, autojump_clock
):
    answers = []

    async def ask(system):
        answers.append(await system.ask("c", b"count", timeout=60))

    async with running(component("c"), loader=loader) as (system, watch):
        system.tell("c", b"sleep:10")
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, system)
            await trio.sleep(1)
            assert isinstance(await system.replace("c", NEW), Done)
            assert trio.current_time() >= 10
        assert sorted(answers) == [b"1", b"2", b"3", b"4", b"5"]
        assert old.guests[0].calls[2:] == ["handle-message", "shutdown"]
        assert watch.of(DeadLetter) == []


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda new: new.healths.__setitem__(0, "unhealthy"), Unhealthy),
        (lambda new: new.healths.__setitem__(0, "hang"), Unhealthy),
        (lambda new: setattr(new, "traps", 1), None),
        (lambda new: setattr(new, "refusals", 1), None),
    ],
)
async def test_code_that_does_not_come_up_leaves_the_old_one(
    loader, old, new, spoil, kind, autojump_clock
):
    spoil(new)
    async with running(component("c"), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        answer = await system.replace("c", NEW)
        assert answer.why is Refusal.START_FAILED
        assert kind is None or isinstance(answer.reason.error, kind)
        assert await system.ask("c", b"count") == b"2"
        assert all(guest.is_closed for guest in new.guests)
        system.tell("c", b"trap")
        await trio.sleep(1)
        assert len(old.guests) == 2
        assert watch.of(DeadLetter)[0].why.startswith("its actor ended")


async def test_code_that_cannot_be_loaded_leaves_the_old_one(loader):
    async with running(component("c"), loader=loader) as (system, _):
        loader.error = ComponentRefused("x", "no", "fix it")
        del loader.components[NEW]
        answer = await system.replace("c", NEW)
        assert isinstance(answer.reason.error, ComponentRefused)
        assert await system.ask("c", b"count") == b"1"


async def test_whatever_is_asked_for_is_answered(loader, autojump_clock):
    async def nothing(context, envelope):
        pass

    async with running(component("c"), python("p", nothing), loader=loader) as (s, _):
        assert (await s.replace("nobody", NEW)).why is Refusal.NOT_FOUND
        assert (await s.replace("p", NEW)).why is Refusal.NO_COMPONENT
        assert (await s.replace("c", 3)).why is Refusal.INVALID_SPEC
        admin = s.supervisor("root")
        assert (await admin.replace_child("local/x/0", NEW)).why is Refusal.NOT_FOUND
        assert await admin.replace_child("local/c/0", NEW) == Done("local/c/0")
        await admin.terminate_child("local/c/0")
        assert (await s.replace("c", NEW)).why is Refusal.DOWN
    assert (await s.replace("c", NEW)).why in {Refusal.NOT_FOUND, Refusal.NOT_RUNNING}


async def test_two_at_once_and_an_end_before_the_take_over(loader, new, autojump_clock):
    answers = []

    async def replace(system):
        answers.append(await system.replace("c", NEW))

    async with running(component("c"), loader=loader) as (system, _):
        async with trio.open_nursery() as nursery:
            system.tell("c", b"sleep:1")
            nursery.start_soon(replace, system)
            nursery.start_soon(replace, system)
        assert sorted(type(a).__name__ for a in answers) == ["Done", "Refused"]
        answers.clear()
        async with trio.open_nursery() as nursery:
            system.tell("c", b"sleep:1")
            nursery.start_soon(replace, system)
            await trio.sleep(0.5)
            await system.supervisor("root").terminate_child("local/c/0")
        assert answers[0].why is Refusal.DOWN
    assert all(guest.is_closed for guest in new.guests)


async def test_the_system_may_end_meanwhile(loader, new, autojump_clock):
    new.healths[0] = "hang"
    answers = []

    async def replace(system):
        answers.append(await system.replace("c", NEW))

    async with (
        trio.open_nursery() as nursery,
        running(component("c"), loader=loader) as (system, _),
    ):
        nursery.start_soon(replace, system)
        await trio.sleep(0.5)
    assert answers[0].why is Refusal.NOT_RUNNING
    assert new.guests[0].is_closed


async def test_health_is_that_of_the_new_code(loader, new, autojump_clock):
    new.healths[:] = ["degraded"]
    spec = component("c", health=Health())
    async with running(spec, loader=loader) as (system, watch):
        await trio.sleep(6)
        assert system.tree().health is HealthStatus.HEALTHY
        await system.replace("c", NEW)
        assert system.tree().health is HealthStatus.DEGRADED
        await trio.sleep(20)
        new.healths[:] = ["unhealthy"]
        await trio.sleep(15.1)
        assert [e.reason.kind for e in watch.of(ChildExited)] == [ExitKind.UNHEALTHY]


async def test_real_code_replaces_real_code():
    guests = Path(__file__).parent.parent / "guests"

    def code(name):
        return Artifact.from_text((guests / f"{name}.wat").read_text("utf-8"), name)

    spec = component("c", artifact=code("state"))
    async with running(spec, loader=open_wasm_loader) as (system, _):
        first = await system.ask("c", b"x")
        assert isinstance(await system.replace("c", code("echo")), Done)
        assert await system.ask("c", b"x") == b"x" != first
        answer = await system.replace("c", code("unhealthy"))
        assert isinstance(answer.reason.error, Unhealthy)
        assert await system.ask("c", b"x") == b"x"
