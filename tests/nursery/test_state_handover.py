"""State that outlives the replacement of the code it belongs to."""

from pathlib import Path

import attrs
import pytest
import trio

from airssys.contracts import (
    Artifact,
    CalleeFailed,
    ChildExited,
    ComponentConfig,
    ComponentRefused,
    DeadLetter,
    Done,
    ExitKind,
    GuestRejected,
    GuestTrapped,
    Limits,
    Refusal,
    TrapReason,
)
from airssys.system._wiring import open_wasm_loader
from airssys.testing import wait_until_idle
from wat_guests.component import Guest

from .company import ARTIFACT, component, running
from .fake_guest import FakeComponent, FakeLoader

NEW = Artifact.from_text("(component (; new ;))", "new")
GUESTS = Path(__file__).parent.parent / "guests"
FROM_HANDOVER = (GUESTS / "handover.wat").read_text("utf-8")
OLD_CODE = Artifact.from_text(FROM_HANDOVER, "old")
NEW_CODE = Artifact.from_text(FROM_HANDOVER + ";; new\n", "new")


@pytest.fixture
def old():
    return FakeComponent(hands_over=True)


@pytest.fixture
def new():
    return FakeComponent(hands_over=True)


@pytest.fixture
def loader(old, new):
    return FakeLoader(components={ARTIFACT: old, NEW: new})


async def count(system, times=1):
    for _ in range(times):
        answer = await system.ask("c", b"count", timeout=100)
    return int(answer)


# ------------------------------------------------------------------ with fakes


async def test_the_new_instance_goes_on_where_the_old_one_was(loader, old, new):
    async with running(component("c"), loader=loader) as (system, watch):
        assert await count(system, 3) == 3
        assert await system.replace("c", NEW) == Done("local/c/0")
        assert await count(system) == 4
        assert old.guests[0].calls[-2:] == ["export-state", "shutdown"]
        assert new.guests[0].calls == [
            "initialize",
            "metadata",
            "health",
            "import-state",
            "handle-message",
        ]
        assert watch.of(ChildExited) == []


async def test_state_is_taken_between_two_messages_and_nothing_is_lost(
    loader, autojump_clock
):
    answers = []

    async def ask(system):
        answers.append(await count(system))

    async with running(component("c"), loader=loader) as (system, watch):
        await count(system)
        system.tell("c", b"sleep:10")
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, system)
            await trio.sleep(1)
            assert isinstance(await system.replace("c", NEW), Done)
        assert sorted(answers) == [2, 3, 4, 5, 6]
        assert watch.of(DeadLetter) == []


async def test_messages_wait_while_state_is_handed_over(loader, old, autojump_clock):
    old.exporting = "sleep:3"
    began = trio.current_time()
    async with running(component("c"), loader=loader) as (system, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.replace, "c", NEW)
            await trio.sleep(1)
            assert await count(system) == 1
            assert trio.current_time() - began >= 3
        assert old.guests[0].calls.count("handle-message") == 0


@pytest.mark.parametrize("lacking", ["old", "new", "both"])
async def test_without_the_interface_on_one_side_it_begins_anew(
    loader, old, new, lacking
):
    old.hands_over = lacking == "new"
    new.hands_over = lacking == "old"
    async with running(component("c"), loader=loader) as (system, _):
        await count(system, 3)
        assert isinstance(await system.replace("c", NEW), Done)
        assert await count(system) == 1
        calls = old.guests[0].calls + new.guests[0].calls
        assert {"export-state", "import-state"}.isdisjoint(calls)


KEEPING = {
    "no export": ("exporting", "reject", GuestRejected),
    "no room for the export": ("exporting", "fill", None),
    "late export": ("exporting", "sleep:20", TimeoutError),
    "no import": ("importing", "reject", GuestRejected),
    "trap in import": ("importing", "trap", GuestTrapped),
    "no room for the import": ("importing", "fill", None),
    "late import": ("importing", "hang", TimeoutError),
}


@pytest.mark.parametrize(("when", "word", "kind"), KEEPING.values(), ids=list(KEEPING))
async def test_what_fails_keeps_the_old_one_with_its_state(
    loader, old, new, when, word, kind, autojump_clock
):
    setattr(old if when == "exporting" else new, when, word)
    async with running(component("c"), loader=loader) as (system, watch):
        await count(system, 3)
        async with trio.open_nursery() as nursery:
            answers = []

            async def replace():
                answers.append(await system.replace("c", NEW))

            nursery.start_soon(replace)
            await trio.sleep(0.5)
            assert await count(system) == 4
        assert answers[0].why is Refusal.STATE_NOT_TAKEN
        assert kind is None or isinstance(answers[0].reason.error, kind)
        assert await count(system) == 5
        assert len(old.guests) == 1
        assert all(guest.is_closed for guest in new.guests)
        assert watch.of(ChildExited) == []
        assert watch.of(DeadLetter) == []
        old.exporting = new.importing = ""
        assert isinstance(await system.replace("c", NEW), Done)
        assert await count(system) == 6


async def test_one_that_is_stopped_by_its_export_is_started_again_by_its_old_code(
    loader, old, new, autojump_clock
):
    old.exporting = "trap"
    answers = []

    async with running(component("c"), loader=loader) as (system, watch):
        await count(system, 3)
        system.tell("c", b"sleep:1")

        async def replace():
            answers.append(await system.replace("c", NEW))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(0.5)
            assert await count(system) == 1  # it was queued, and is not lost
        assert answers[0].why is Refusal.STATE_NOT_TAKEN
        assert answers[0].reason.kind is ExitKind.CRASH
        assert [e.reason.kind for e in watch.of(ChildExited)] == [ExitKind.CRASH]
        assert len(old.guests) == 2
        assert new.guests[0].is_closed
        assert watch.of(DeadLetter) == []


@pytest.mark.parametrize("who", ["old", "new"])
async def test_a_stop_meanwhile_is_served_and_the_old_one_runs_its_stopped_hook(
    loader, old, new, who, autojump_clock
):
    setattr(*((old, "exporting") if who == "old" else (new, "importing")), "sleep:2")
    answers = []

    async with running(component("c"), loader=loader) as (system, watch):

        async def replace():
            answers.append(await system.replace("c", NEW))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(1)
            await system.supervisor("root").terminate_child("local/c/0")
        assert answers[0].why is Refusal.DOWN
        assert old.guests[0].calls[-1] == "shutdown"
        (end,) = watch.of(ChildExited)
        assert end.reason.kind is ExitKind.SHUTDOWN
    assert all(guest.is_closed for guest in old.guests + new.guests)


async def test_one_that_drains_handles_what_is_queued_by_its_old_code(
    loader, old, new, autojump_clock
):
    old.exporting = "sleep:2"
    answers, counts = [], []

    async with running(component("c", drain=True), loader=loader) as (system, watch):

        async def replace():
            answers.append(await system.replace("c", NEW))

        async def ask():
            counts.append(await count(system))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(1)
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await wait_until_idle()
            await system.supervisor("root").terminate_child("local/c/0")
        assert answers[0].why is Refusal.DOWN
        assert sorted(counts) == [1, 2]
        assert old.guests[0].calls.count("export-state") == 1
        assert old.guests[0].calls[-1] == "shutdown"
        assert new.guests[0].is_closed
        assert watch.of(DeadLetter) == []


async def test_a_kill_meanwhile_ends_both(loader, old, new, autojump_clock):
    old.exporting = "hang"
    answers = []

    async with running(component("c", shutdown=1.0), loader=loader) as (system, _):

        async def replace():
            answers.append(await system.replace("c", NEW))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(0.5)
            await system.supervisor("root").terminate_child("local/c/0")
    assert answers[0].why is Refusal.DOWN
    assert all(guest.is_closed for guest in old.guests + new.guests)


@pytest.mark.parametrize("who", ["old", "new"])
async def test_one_that_is_cancelled_meanwhile_changes_nothing(
    loader, old, new, who, autojump_clock
):
    setattr(*((old, "exporting") if who == "old" else (new, "importing")), "sleep:2")
    answers = []

    async with running(component("c"), loader=loader) as (system, watch):
        await count(system, 3)

        async def replace():
            answers.append(await system.replace("c", NEW))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace)
            await trio.sleep(1)
            # As at the end of a system, if its tree were still there.
            system._replacer._nursery.cancel_scope.cancel()
            assert await count(system) == 4
        assert answers[0].why is Refusal.NOT_RUNNING
        assert new.guests[0].is_closed
        assert len(old.guests) == 1
        assert watch.of(ChildExited) == []


async def test_of_two_at_once_one_takes_over(loader, old, autojump_clock):
    old.exporting = "sleep:1"
    answers = []

    async def replace(system):
        answers.append(await system.replace("c", NEW))

    async with running(component("c"), loader=loader) as (system, _):
        await count(system, 2)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(replace, system)
            nursery.start_soon(replace, system)
        assert sorted(type(a).__name__ for a in answers) == ["Done", "Refused"]
        assert await count(system) == 3


# --------------------------------------------------------- with real components


def real(data=None, limits=None):
    spec = component("c", artifact=OLD_CODE)
    return attrs.evolve(
        spec, config=ComponentConfig(data=data, limits=limits or Limits())
    )


async def test_real_code_hands_its_state_over():
    async with running(real(), loader=open_wasm_loader) as (system, watch):
        assert await count(system, 3) == 3
        assert isinstance(await system.replace("c", NEW_CODE), Done)
        assert await count(system) == 4
        assert isinstance(await system.replace("c", OLD_CODE), Done)
        assert await count(system) == 5
        assert watch.of(ChildExited) == []


REFUSING = {
    "reject-export": (GuestRejected, "invalid-state"),
    "large-export": (GuestRejected, "too-large"),
    "reject-import": (GuestRejected, "invalid-state"),
    "trap-import": (GuestTrapped, TrapReason.UNREACHABLE),
    "loop-import": (GuestTrapped, TrapReason.TIME_LIMIT),
    "sleep-import": (GuestTrapped, TrapReason.TIME_LIMIT),
}


@pytest.mark.parametrize("word", REFUSING)
async def test_real_code_that_cannot_keeps_the_old_instance(word):
    kind, case = REFUSING[word]
    limits = Limits(execution_time=0.3, state_bytes=99_999, host_call_bytes=1000)
    spec = real(word.encode(), limits)
    async with running(spec, loader=open_wasm_loader) as (system, watch):
        assert await count(system, 3) == 3
        answer = await system.replace("c", NEW_CODE)
        assert answer.why is Refusal.STATE_NOT_TAKEN
        error = answer.reason.error
        assert isinstance(error, kind)
        assert case in {getattr(error, "case", None), getattr(error, "reason", None)}
        assert await count(system, 2) == 5
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize("most", [0, 1000, 99_744])
async def test_state_that_is_far_too_large_costs_the_instance_nothing(most):
    spec = real(b"large-export", Limits(state_bytes=most))
    async with running(spec, loader=open_wasm_loader) as (system, watch):
        assert await count(system, 3) == 3
        answer = await system.replace("c", NEW_CODE)
        assert answer.why is Refusal.STATE_NOT_TAKEN
        assert f"more than {most} bytes (state_bytes)" in str(answer.reason.error)
        assert await count(system) == 4
        assert watch.of(ChildExited) == []


async def test_state_may_be_larger_than_other_answers_and_exactly_as_large_as_its_limit():
    limits = Limits(state_bytes=100_000, host_call_bytes=1000)
    spec = real(b"large-export", limits)
    async with running(spec, loader=open_wasm_loader) as (system, _):
        await count(system, 3)
        assert isinstance(await system.replace("c", NEW_CODE), Done)
        assert await count(system) == 1  # zeros are not a number


@pytest.mark.parametrize("word", ["trap-export", "loop-export", "sleep-export"])
async def test_real_code_that_does_not_survive_its_export_starts_anew(word):
    limits = Limits(execution_time=0.3)
    spec = real(word.encode(), limits)
    async with running(spec, loader=open_wasm_loader) as (system, watch):
        assert await count(system, 3) == 3
        answer = await system.replace("c", NEW_CODE)
        assert answer.why is Refusal.STATE_NOT_TAKEN
        assert isinstance(answer.reason.error, GuestTrapped)
        assert await count(system) == 1
        assert len(watch.of(ChildExited)) == 1
        assert watch.of(DeadLetter) == []


async def test_one_that_traps_over_its_message_takes_no_state_with_it():
    code = Artifact.at(GUESTS / "fragile.wat")
    async with running(component("c", artifact=code), loader=open_wasm_loader) as (
        system,
        _,
    ):
        assert await count(system, 2) == 2
        assert isinstance(await system.replace("c", NEW_CODE), Done)
        assert await count(system) == 1
        assert isinstance(await system.replace("c", code), Done)
        with pytest.raises(CalleeFailed):
            await system.ask("c", b"boom")


HALF = Guest(
    name="half", does="exports its state only", state={}, without_state={"import-state"}
)
ODD = Guest(
    name="odd",
    does="exports its state as text",
    state={},
    types={"export-state": "(result string)"},
    core_types={"export-state": "(result i32)"},
)


@pytest.mark.parametrize(
    ("guest", "problem"),
    [
        (HALF, "airssys:core/state-handover@1.0.0 lacks import-state"),
        (ODD, "its airssys:core/state-handover@1.0.0 has other types for export-state"),
    ],
)
async def test_an_interface_that_is_not_whole_is_refused_at_load(guest, problem):
    async with running(real(), loader=open_wasm_loader) as (system, _):
        await count(system)
        answer = await system.replace("c", Artifact.from_text(guest.wat()))
        assert isinstance(answer.reason.error, ComponentRefused)
        assert problem in str(answer.reason.error)
        assert await count(system) == 2
