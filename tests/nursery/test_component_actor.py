"""Component actors, behind the port of a guest."""

import pytest
import trio

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    CapacityReached,
    ChildExited,
    ComponentId,
    DeadLetter,
    ExitKind,
    Fault,
    Logged,
    MessageFailed,
    StartFailed,
)
from airssys.nursery import RETRY_PAUSE
from airssys.nursery.shared import _metadata_cache
from airssys.testing import wait_until_idle

from .company import ARTIFACT, component, python, running
from .fake_guest import FakeComponent, FakeLoader


@pytest.fixture
def loader():
    return FakeLoader(components={ARTIFACT: FakeComponent()})


def guests_of(loader):
    return loader.components[ARTIFACT].guests


async def test_a_guest_is_initialised_asked_and_shut_down_in_this_order(loader):
    async with running(component("c"), loader=loader) as (system, _):
        assert await system.ask("c", b"hello") == b"hello"
    (guest,) = guests_of(loader)
    assert guest.calls == ["initialize", "metadata", "handle-message", "shutdown"]
    assert guest.is_closed


async def test_state_lives_as_long_as_the_instance(loader):
    async with running(component("c"), loader=loader) as (system, watch):
        assert [await system.ask("c", b"count") for _ in range(3)] == [b"1", b"2", b"3"]
        with pytest.raises(CalleeFailed, match=r"GuestTrapped.*unreachable"):
            await system.ask("c", b"trap")
        assert await system.ask("c", b"count") == b"1"
        first, second = guests_of(loader)
        assert first.is_closed
        assert "shutdown" not in first.calls
        assert "metadata" not in second.calls
        (exited,) = watch.of(ChildExited)
        assert exited.reason.kind is ExitKind.CRASH


@pytest.mark.parametrize("word", [b"reject", b"fill"])
async def test_a_typed_error_is_an_answer_and_the_actor_keeps_running(loader, word):
    async with running(component("c"), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        with pytest.raises(CalleeFailed):
            await system.ask("c", word)
        system.tell("c", word)
        assert await system.ask("c", b"count") == b"2"
        assert len(watch.of(MessageFailed)) == 2
        assert watch.of(ChildExited) == []


async def test_a_guest_ends_by_its_own_limit_and_that_is_its_fault(
    loader, autojump_clock
):
    async with running(component("c"), loader=loader) as (system, watch):
        with pytest.raises(AskTimedOut):
            await system.ask("c", b"hang", timeout=2)
        assert await system.ask("c", b"count", timeout=60) == b"1"
        (exited,) = watch.of(ChildExited)
        assert "time limit" in str(exited.reason)
        assert exited.reason.fault is Fault.GUEST
        assert watch.of(DeadLetter)[0].why.startswith("its actor ended: GuestTrapped")


@pytest.mark.parametrize("word", [b"trap", b"reject", b"hang"])
async def test_a_guest_that_does_not_initialise_fails_the_start(
    loader, word, autojump_clock
):
    with pytest.raises(StartFailed) as caught:
        async with running(component("ok"), component("c", word), loader=loader):
            pass
    assert caught.value.child == "local/c/0"
    assert all(guest.is_closed for guest in guests_of(loader))
    assert guests_of(loader)[0].calls[-1] == "shutdown"


async def test_a_trap_at_instantiation_fails_the_start(loader):
    loader.components[ARTIFACT].traps = 1
    with pytest.raises(StartFailed, match="instantiate"):
        async with running(component("c"), loader=loader):
            pass


async def test_a_full_machine_is_a_refusal_and_all_else_keeps_running(
    loader, autojump_clock
):
    fakes = loader.components[ARTIFACT]
    children = component("c"), component("d")
    async with running(*children, loader=loader, restarts=1) as (system, _):
        fakes.refusals = 3
        system.tell("c", b"trap")
        system.tell("c", b"count")
        await trio.sleep(0.2)
        assert system.tree().find("local/c/0").state == "refused, waiting"
        assert system.tree().find("local/c/0").queued == 1
        assert await system.ask("d", b"hello") == b"hello"
        await trio.sleep(3.5 * RETRY_PAUSE)
        assert await system.ask("c", b"count") == b"2"


async def test_a_machine_that_is_full_at_the_start_says_so(loader):
    loader.components[ARTIFACT].refusals = 1
    with pytest.raises(StartFailed, match=r"refused .*no more memory maps") as caught:
        async with running(component("c"), loader=loader):
            pass
    assert isinstance(caught.value.__cause__, CapacityReached)


@pytest.mark.parametrize("word", [b"trap-shutdown", b"reject-shutdown"])
async def test_a_guest_that_fails_to_say_goodbye_is_closed_all_the_same(loader, word):
    async with running(component("c", word), loader=loader) as (_, watch):
        pass
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "local/c/0")
    assert (exited.reason.kind, exited.asked) == (ExitKind.CRASH, True)
    assert guests_of(loader)[0].is_closed


async def test_a_guest_that_hangs_in_shutdown_is_cut_off(loader, autojump_clock):
    spec = component("c", b"hang-shutdown", shutdown=2.0)
    async with running(spec, loader=loader) as (_, watch):
        pass
    assert trio.current_time() == pytest.approx(2)
    (exited,) = (e for e in watch.of(ChildExited) if e.child == "local/c/0")
    assert exited.reason.kind in (ExitKind.KILLED, ExitKind.SHUTDOWN)
    assert guests_of(loader)[0].is_closed


async def test_host_services_carry_the_name_of_their_actor(loader):
    seen = []

    async def witness(context, envelope):
        seen.append((str(envelope.sender), envelope.payload))
        return b"seen"

    children = python("w", witness), component("c")
    async with running(*children, loader=loader) as (system, watch):
        assert await system.ask("c", b"ask:w") == b"seen"
        await system.ask("c", b"send:w")
        await system.ask("c", b"log:hello")
        await wait_until_idle()
        assert seen == [("local/c/0", b"asked"), ("local/c/0", b"sent")]
        (line,) = watch.of(Logged)
        assert (line.source.name, line.message) == ("c", "hello")
        assert line.context == (("a", "b"),)
        assert await system.ask("c", b"ask:c") == b"delivery-failed"
        assert await system.ask("c", b"ask:nobody") == b"target-not-found"


async def test_what_actors_report_of_themselves(loader):
    async def quiet(context, envelope):
        pass

    children = component("c"), python("p", quiet)
    async with running(*children, loader=loader):
        services = guests_of(loader)[0].services
        c, p = ComponentId.parse("c"), ComponentId.parse("p")
        assert services.self_id == c
        assert services.directory.list_components() == (c, p)
        info = services.directory.component_info(c)
        assert (info.name, info.version, info.health) == ("fake", "1.2.3", "unknown")
        assert services.directory.component_info(p).name == "p"
        assert services.directory.component_info(ComponentId.parse("nobody")) is None


async def test_equal_components_are_asked_once_what_they_are(loader):
    equal = [component(name, data=b"x") for name in "abc"]
    async with running(*equal, component("d", data=b"y"), loader=loader):
        guests = guests_of(loader)
        asked = [
            guest.services.self_id.name for guest in guests if "metadata" in guest.calls
        ]
        assert asked == ["a", "d"]
        for name in "abcd":
            info = guests[0].services.directory.component_info(ComponentId.parse(name))
            assert (info.id.name, info.name, info.version) == (name, "fake", "1.2.3")


def test_the_latest_metadata_is_remembered_of_that_many(monkeypatch):
    monkeypatch.setattr(_metadata_cache, "KEPT", 3)
    known = _metadata_cache.MetadataCache()
    specs = [component("c", data=bytes([n])) for n in range(5)]
    for number, spec in enumerate(specs):
        assert known.find(spec) is None
        known.note(spec, number)
    assert [known.find(spec) for spec in specs] == [None, None, 2, 3, 4]


async def test_time_is_the_wall_clock_of_the_system(loader):
    options = {"loader": loader, "wall_clock": lambda: 1_700_000_000_000_000_042}
    async with running(component("c"), **options):
        assert guests_of(loader)[0].services.clock.current_time() == (1_700_000_000, 42)
