"""Component actors that continue from snapshots: checkpoints, starts, replacements."""

import pytest
import trio
import trio.lowlevel

from airssys.contracts import (
    Artifact,
    AskTimedOut,
    BrutalKill,
    CheckpointEvery,
    ComponentId,
    Done,
    EngineSettings,
    Intensity,
    OnAbandoned,
    RestartFrom,
    SnapshotFailed,
    StartFrom,
    Strategy,
    SupervisorSpec,
)

from .company import ARTIFACT, component, python, running
from .fake_guest import FakeComponent, FakeLoader

EVERY = CheckpointEvery(messages=2)


def saved(name="c", every=EVERY, **options):
    return component(
        name,
        checkpoint_every=every,
        restart_from=RestartFrom.CHECKPOINT,
        **options,
    )


@pytest.fixture
def fake():
    return FakeComponent()


@pytest.fixture
def loader(fake):
    return FakeLoader(components={ARTIFACT: fake})


def running_own(*children, **options):
    return running(*children, engine=EngineSettings(lane="own"), **options)


async def count(system, times=1):
    for _ in range(times):
        answer = await system.ask("c", b"count", timeout=60)
    return int(answer)


async def crash(system):
    system.tell("c", b"trap")
    await trio.sleep(1)


def failures(watch):
    return [(event.use, event.error.problem) for event in watch.of(SnapshotFailed)]


async def test_a_crashed_actor_continues_from_the_last_checkpoint(
    loader, fake, autojump_clock
):
    async with running_own(saved(), loader=loader) as (system, watch):
        assert await count(system, 5) == 5
        await crash(system)
        assert await count(system) == 5  # the one of 4 was the last
        assert fake.guests[-1].calls[0] != "initialize"
        assert failures(watch) == []


async def test_a_crash_straight_after_a_restore_is_followed_by_a_fresh_start(
    loader, autojump_clock
):
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        await crash(system)
        await crash(system)
        assert await count(system) == 1


async def test_without_a_checkpoint_a_restart_is_a_fresh_start(loader, autojump_clock):
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system) == 1
        await crash(system)
        assert await count(system) == 1


async def test_checkpoints_are_taken_by_the_clock_and_only_after_messages(
    loader, fake, autojump_clock
):
    spec = saved(every=CheckpointEvery(seconds=10.0))
    async with running_own(spec, loader=loader) as (system, _):
        await trio.sleep(100)
        assert "snapshot" not in fake.guests[0].calls
        assert await count(system) == 1
        await trio.sleep(1)
        assert fake.guests[0].calls.count("snapshot") == 1
        await trio.sleep(100)
        assert fake.guests[0].calls.count("snapshot") == 1
        assert await count(system, 3) == 4
        await trio.sleep(9)
        assert fake.guests[0].calls.count("snapshot") == 2
        await count(system)
        await trio.sleep(11)
        assert fake.guests[0].calls.count("snapshot") == 3


async def test_a_busy_actor_is_saved_too(loader, fake, autojump_clock):
    async with running_own(saved(mailbox=10_000), loader=loader) as (system, _):
        for _ in range(2000):
            system.tell("c", b"count")
        await trio.sleep(1)
        assert fake.guests[0].count == 2000
        assert fake.guests[0].calls.count("snapshot") >= 2


async def fail(context, envelope):
    raise ValueError


def together(*children):
    return SupervisorSpec(
        name="together",
        children=children,
        strategy=Strategy.ONE_FOR_ALL,
        intensity=Intensity(10, 60.0),
    )


async def test_what_is_asked_to_stop_may_use_its_checkpoint_again(
    loader, autojump_clock
):
    tree = together(python("failing", fail), saved())
    async with running_own(tree, loader=loader) as (system, _):
        assert await count(system, 2) == 2
        for _ in range(3):
            system.tell("failing", b"")
            await trio.sleep(1)
            assert await count(system) == 3


async def test_a_killed_actor_may_not(loader, autojump_clock):
    tree = together(python("failing", fail), saved(shutdown=BrutalKill.BRUTAL_KILL))
    async with running_own(tree, loader=loader) as (system, _):
        assert await count(system, 2) == 2
        await trio.sleep(1)
        for expected in (3, 1):
            system.tell("failing", b"")
            await trio.sleep(1)
            assert await count(system) == expected


async def test_an_actor_that_was_terminated_begins_from_scratch(loader, autojump_clock):
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        root = system.supervisor("root")
        assert isinstance(await root.terminate_child("local/c/0"), Done)
        await root.restart_child("local/c/0")
        assert await count(system) == 1


async def test_a_refusal_is_reported_once_and_tried_again(loader, fake, autojump_clock):
    async with running_own(saved(), loader=loader) as (system, watch):
        fake.snapshot_refusal = "its tables have changed"
        assert await count(system, 8) == 8
        assert failures(watch) == [("checkpoint", "its tables have changed")]
        fake.snapshot_refusal = ""
        assert await count(system, 2) == 10
        await crash(system)
        assert await count(system) == 11


async def test_a_checkpoint_that_does_not_fit_gives_a_fresh_start(
    loader, fake, autojump_clock
):
    async with running_own(saved(), loader=loader) as (system, watch):
        assert await count(system, 2) == 2
        await trio.lowlevel.checkpoint()
        fake.snapshot_refusal = "it does not fit"
        await crash(system)
        assert failures(watch) == [("restart", "it does not fit")]
        assert await count(system) == 1


async def test_a_start_that_found_no_room_keeps_the_checkpoint(
    loader, fake, autojump_clock
):
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        fake.refusals = 2
        await crash(system)
        await trio.sleep(60)
        assert await count(system) == 3


async def test_an_actor_starts_from_the_state_after_initialize(
    loader, fake, autojump_clock
):
    spec = component("c", start_from=StartFrom.SNAPSHOT)
    async with running_own(spec, loader=loader) as (system, watch):
        assert await count(system) == 1
        await crash(system)
        assert await count(system) == 1
        assert all("initialize" not in guest.calls for guest in fake.guests)
        assert failures(watch) == []


async def test_if_there_is_none_it_starts_from_its_code(loader, fake, autojump_clock):
    fake.snapshot_refusal = "it calls the host"
    spec = component("c", start_from=StartFrom.SNAPSHOT)
    async with running_own(spec, loader=loader) as (system, watch):
        assert await count(system) == 1
        await crash(system)
        assert failures(watch) == [("start", "it calls the host")]
        assert all(guest.calls[0] == "initialize" for guest in fake.guests)


async def test_a_replacement_by_the_same_code_continues(loader, fake, autojump_clock):
    other = Artifact.from_bytes(b"the same code")
    loader.components[other] = fake
    async with running_own(saved(), loader=loader) as (system, watch):
        assert await count(system, 3) == 3
        assert isinstance(await system.replace("c", other), Done)
        assert await count(system) == 4
        assert failures(watch) == []
        await crash(system)
        assert await count(system) == 1  # no checkpoint of it was taken yet


async def test_a_replacement_by_other_code_does_not(loader, autojump_clock):
    other = Artifact.from_bytes(b"other code")
    async with running_own(saved(), loader=loader) as (system, watch):
        assert await count(system, 3) == 3
        assert isinstance(await system.replace("c", other), Done)
        assert await count(system) == 1
        assert failures(watch) == [("replace", "it belongs to another component")]
        assert await count(system) == 2
        await crash(system)
        assert await count(system) == 3


async def test_without_that_choice_a_replacement_begins_from_scratch(
    loader, fake, autojump_clock
):
    other = Artifact.from_bytes(b"the same code")
    loader.components[other] = fake
    async with running_own(component("c"), loader=loader) as (system, _):
        assert await count(system, 3) == 3
        assert isinstance(await system.replace("c", other), Done)
        assert await count(system) == 1


async def test_a_message_that_arrives_while_one_is_taken_is_handled_after_it(
    loader, fake, autojump_clock
):
    fake.saving = 5.0
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        began = trio.current_time()
        assert await count(system) == 3
        assert trio.current_time() - began == pytest.approx(5.0)
        assert fake.guests[0].calls == [
            "initialize",
            "metadata",
            "handle-message",
            "handle-message",
            "snapshot",
            "handle-message",
        ]


@pytest.mark.parametrize("after", [0.0, 2.0, 5.0, 6.0])
async def test_a_stop_while_one_is_taken_ends_in_order(
    loader, fake, after, autojump_clock
):
    fake.saving = 5.0
    async with running_own(saved(shutdown=60.0), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        await trio.sleep(after)
        root = system.supervisor("root")
        assert isinstance(await root.terminate_child("local/c/0"), Done)
        assert fake.guests[0].calls[-1] == "shutdown"
        assert fake.open_guests == 0


@pytest.mark.parametrize("after", [0.0, 2.0, 5.0, 6.0])
async def test_a_replacement_while_one_is_taken_waits_for_it(
    loader, fake, after, autojump_clock
):
    other = Artifact.from_bytes(b"the same code")
    loader.components[other] = fake
    fake.saving = 5.0
    async with running_own(saved(), loader=loader) as (system, _):
        assert await count(system, 2) == 2
        await trio.sleep(after)
        assert isinstance(await system.replace("c", other), Done)
        assert await count(system) == 3
        assert fake.open_guests == 1


async def test_an_instance_that_was_cut_off_continues_from_the_checkpoint_once(
    loader, autojump_clock
):
    spec = saved(on_abandoned=OnAbandoned.CANCEL)
    async with running_own(spec, loader=loader) as (system, watch):
        assert await count(system, 2) == 2
        await trio.sleep(1)
        for expected in (3, 1):
            with pytest.raises(AskTimedOut):
                await system.ask("c", b"hang", timeout=1)
            assert await count(system) == expected
        assert failures(watch) == []


async def test_no_checkpoint_is_taken_while_requests_are_open(
    loader, fake, autojump_clock
):
    async def sleep(context, envelope):
        await trio.sleep(50)

    tree = (python("sleeper", sleep), saved())
    async with running_own(*tree, loader=loader) as (system, watch):
        guest = fake.guests[0]
        guest.services.messages.request(ComponentId.parse("sleeper"), b"", 100.0)
        assert await count(system, 2) == 2
        await trio.sleep(1)
        ((use, problem),) = failures(watch)
        assert use == "checkpoint"
        assert "open requests" in problem
        assert "snapshot" not in guest.calls
        await trio.sleep(100)
        assert guest.calls.count("handle-callback") == 1
        assert await count(system, 2) == 4
        await trio.sleep(1)
        assert "snapshot" in guest.calls


async def test_topics_that_it_has_subscribed_itself_to_go_along(
    loader, fake, autojump_clock
):
    async with running_own(saved(), loader=loader) as (system, _):
        fake.guests[0].services.topics.subscribe("news.*")
        assert await count(system, 2) == 2
        await trio.sleep(1)
        await crash(system)
        await system.publish("news.today", b"count")
        await trio.sleep(1)
        assert fake.guests[1].count == 3
