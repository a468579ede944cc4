"""That an asker waits no longer is never charged to the actor that it asked."""

from contextlib import suppress

import pytest
import trio
from hypothesis import given, settings, strategies as st

from airssys.contracts import (
    Artifact,
    AskTimedOut,
    CalleeFailed,
    ChildExited,
    DeadLetter,
    DeadReason,
    ExitKind,
    Fault,
    HookFailed,
    Limits,
    MessageFailed,
    MessagingError,
    OnAbandoned,
    SupervisorGaveUp,
)
from airssys.nursery import RETRY_PAUSE
from airssys.testing import steady_clock, wait_until_idle

from .company import ARTIFACT, component, python, running
from .fake_guest import FakeComponent, FakeLoader

CANCEL = {"on_abandoned": OnAbandoned.CANCEL}


@pytest.fixture
def fake():
    return FakeComponent(hands_over=True)


@pytest.fixture
def loader(fake):
    return FakeLoader(components={ARTIFACT: fake})


async def asker(context, envelope):
    """Ask what its message names, for one second, unless it is stopped before."""
    with suppress(MessagingError):
        await context.ask("c", envelope.payload, timeout=1)


# Ways to stop waiting after a second for a call that takes three.


async def by_a_timeout(system):
    with pytest.raises(AskTimedOut):
        await system.ask("c", b"sleep:3", timeout=1)


async def by_a_cancelled_scope(system):
    with trio.move_on_after(1) as scope:
        await system.ask("c", b"sleep:3", timeout=60)
    assert scope.cancelled_caught


async def by_the_timeout_of_an_actor(system):
    system.tell("asker", b"sleep:3")
    await trio.sleep(1)


async def by_the_end_of_an_actor(system):
    system.tell("asker", b"sleep:3")
    await trio.sleep(0.5)
    await system.supervisor("root").terminate_child("local/asker/0")
    await system.supervisor("root").restart_child("local/asker/0")
    await trio.sleep(0.5)


WAYS = [
    by_a_timeout,
    by_a_cancelled_scope,
    by_the_timeout_of_an_actor,
    by_the_end_of_an_actor,
]


def ends_of(watch, name="local/c/0"):
    return [each for each in watch.of(ChildExited) if each.child == name]


@pytest.mark.parametrize("leave", WAYS)
async def test_the_call_goes_on_and_its_answer_is_a_dead_letter(
    leave, loader, fake, autojump_clock
):
    children = component("c"), python("asker", asker)
    async with running(*children, loader=loader, restarts=0) as (system, watch):
        await system.ask("c", b"count")
        for _ in range(5):
            await leave(system)
            await trio.sleep(3)
        assert await system.ask("c", b"count") == b"2"
        late = [e for e in watch.of(DeadLetter) if e.reason is DeadReason.LATE_ANSWER]
        assert [letter.size for letter in late] == [len(b"sleep:3")] * 5
        assert ends_of(watch) == []
        assert watch.of(MessageFailed) == []
        assert len(fake.guests) == 1


@pytest.mark.parametrize("leave", WAYS)
async def test_or_it_is_cut_off_and_the_instance_replaced_with_its_state(
    leave, loader, fake, autojump_clock
):
    children = component("c", **CANCEL), python("asker", asker, shutdown=0)
    async with running(*children, loader=loader, restarts=0) as (system, watch):
        await system.ask("c", b"count")
        for _ in range(5):
            before = trio.current_time()
            await leave(system)
            assert await system.ask("c", b"yes?") == b"yes?"
            assert trio.current_time() == pytest.approx(before + 1), "no back-off"
        assert await system.ask("c", b"count") == b"2"
        assert ends_of(watch) == []
        assert len(watch.of(MessageFailed)) == 5
        assert len(fake.guests) == 6
        assert fake.open_guests == 1
        assert system.tree().find("local/c/0").restarts == 0


async def test_one_that_hands_nothing_over_is_replaced_by_a_fresh_one(
    autojump_clock,
):
    loader = FakeLoader(components={ARTIFACT: FakeComponent()})
    async with running(component("c", **CANCEL), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        await by_a_timeout(system)
        assert await system.ask("c", b"count") == b"1"
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize("word", ["trap", "reject", "hang"])
async def test_a_state_that_is_not_taken_is_lost_and_that_is_reported(
    word, loader, fake, autojump_clock
):
    async with running(component("c", **CANCEL), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        fake.importing = word
        await by_a_timeout(system)
        assert await system.ask("c", b"count", timeout=60) == b"1"
        ends = watch.of(ChildExited)
        if word == "hang":  # which is a failure of its own to start in time
            assert [end.reason.kind for end in ends] == [ExitKind.CRASH]
        else:
            assert ends == []
            assert [each.hook for each in watch.of(HookFailed)] == ["import-state"]


async def test_a_replacement_that_does_not_start_is_a_failure_of_its_own(
    loader, fake, autojump_clock
):
    fake.hands_over = False
    async with running(component("c", **CANCEL), loader=loader) as (system, watch):
        fake.traps = 1
        await by_a_timeout(system)
        assert await system.ask("c", b"count") == b"1"
        (end,) = watch.of(ChildExited)
        assert end.reason.kind is ExitKind.CRASH
        assert end.reason.fault is Fault.GUEST


async def test_a_replacement_waits_for_a_machine_that_is_full(
    loader, fake, autojump_clock
):
    async with running(component("c", **CANCEL), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        fake.refusals = 3
        await by_a_timeout(system)
        began = trio.current_time()
        assert await system.ask("c", b"count") == b"2"
        assert trio.current_time() == pytest.approx(began + 3 * RETRY_PAUSE)
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize("drain", [False, True])
async def test_it_can_be_stopped_while_it_is_replaced(
    drain, loader, fake, autojump_clock
):
    child = component("c", drain=drain, **CANCEL)
    answers = []

    async def ask(system):
        answers.append(await system.ask("c", b"count", timeout=60))

    async with (
        running(child, loader=loader) as (system, watch),
        trio.open_nursery() as n,
    ):
        fake.refusals = 2
        await by_a_timeout(system)
        if drain:
            n.start_soon(ask, system)
            await wait_until_idle(0.001)
        await system.supervisor("root").terminate_child("local/c/0")
        await wait_until_idle(0.001)
        (end,) = watch.of(ChildExited)
        assert end.reason.kind is ExitKind.SHUTDOWN
        assert answers == ([b"1"] if drain else [])


async def test_what_is_replaced_by_hand_meanwhile_is_replaced_once_more(
    loader, fake, autojump_clock
):
    new = Artifact.from_text("(component (; new ;))", "new")
    loader.components[new] = FakeComponent(hands_over=True)
    async with running(component("c", **CANCEL), loader=loader) as (system, watch):
        await system.ask("c", b"count")
        fake.refusals = 2
        await by_a_timeout(system)
        await system.replace("c", new)
        await by_a_timeout(system)
        assert await system.ask("c", b"count") == b"2"
        assert len(loader.components[new].guests) == 2
        assert watch.of(ChildExited) == []


@pytest.mark.parametrize("options", [{}, CANCEL])
async def test_its_own_faults_count_all_the_same(options, loader, autojump_clock):
    limited = component("c", limits=Limits(execution_time=0.5), **options)
    async with running(limited, loader=loader, restarts=10) as (system, watch):
        for word in (b"trap", b"hang"):
            with pytest.raises(CalleeFailed) as caught:
                await system.ask("c", word, timeout=60)
            assert caught.value.fault is Fault.GUEST
        faults = [end.reason.fault for end in watch.of(ChildExited)]
        assert faults == [Fault.GUEST] * 2


async def test_a_message_is_not_begun_after_its_asker_has_gone(
    loader, fake, autojump_clock
):
    async with running(component("c"), loader=loader) as (system, watch):
        system.tell("c", b"sleep:5")
        system.tell("c", b"count", ttl=1)
        with trio.move_on_after(1):
            await system.ask("c", b"count", timeout=60)
        with pytest.raises(AskTimedOut):
            await system.ask("c", b"count", timeout=1)
        assert await system.ask("c", b"count", timeout=60) == b"1"
        reasons = [letter.reason for letter in watch.of(DeadLetter)]
        assert sorted(reasons, key=str) == [
            DeadReason.CANCELLED,
            DeadReason.EXPIRED,
            DeadReason.EXPIRED,
        ]


# -------------------------------------------------------------- in random systems


async def pass_on(context, envelope):
    """Ask on, along the way that the payload says."""
    word = envelope.payload.decode()
    if word.startswith("insist:"):
        name, _, rest = word.removeprefix("insist:").partition(" ")
        return await context.ask(name, rest.encode(), timeout=1000)
    if word.startswith("sleep:"):
        await trio.sleep(float(word.removeprefix("sleep:")))
    return b"done"


NAMES = ["a", "b", "c", "d"]
kinds = st.sampled_from(["guest", "cut", "cut that hands over", "python"])
moments = st.sampled_from([0, 0.1, 0.3, 0.5, 0.7, 1, 2, 3])
patience = st.tuples(
    st.sampled_from(["timeout", "scope", "actor", "doomed actor", "ttl"]), moments
)
ways = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True).map(sorted)
asks = st.lists(
    st.tuples(moments, ways, st.sampled_from([0, 0.2, 0.5, 1]), patience),
    min_size=1,
    max_size=12,
)


def order(way, seconds):
    """Say what the first one is to do so that all on the way are asked."""
    word = f"sleep:{seconds}"
    for name in reversed(way[1:]):
        word = f"insist:{name} {word}"
    return word.encode()


async def impatient(context, envelope):
    limit, name, rest = envelope.payload.split(b" ", 2)
    with suppress(MessagingError):
        await context.ask(name.decode(), rest, timeout=float(limit))


class JointWait:
    """Actors that ask, each in its own way, and wait no longer when they like."""

    def __init__(self, system, nursery):
        self.system, self.nursery = system, nursery

    async def ask(self, number, at, way, seconds, how):
        kind, limit = how
        await trio.sleep(at)
        question = order(way, seconds)
        with suppress(MessagingError):
            match kind:
                case "timeout":
                    await self.system.ask(way[0], question, timeout=limit)
                case "scope":
                    with trio.move_on_after(limit):
                        await self.system.ask(way[0], question, timeout=60)
                case "ttl":
                    self.system.tell(way[0], question, ttl=limit)
                case _:
                    await self.by_an_actor(number, way[0], question, how)

    async def by_an_actor(self, number, name, question, how):
        kind, limit = how
        root, actor = self.system.supervisor("root"), f"asker{number}"
        own = limit if kind == "actor" else 60
        await root.start_child(python(actor, impatient))
        self.system.tell(actor, f"{own} {name} ".encode() + question)
        if kind == "doomed actor":
            await trio.sleep(limit)
            await root.terminate_child(f"local/{actor}/0")


async def live(cast, script):
    components, children = {}, []
    for name, kind in zip(NAMES, cast, strict=True):
        if kind == "python":
            children.append(python(name, pass_on))
            continue
        artifact = Artifact.from_text("(component)", name)
        components[artifact] = FakeComponent(hands_over=kind == "cut that hands over")
        options = {} if kind == "guest" else CANCEL
        limits = Limits(execution_time=10_000)
        child = component(name, artifact=artifact, limits=limits, **options)
        children.append(child)
    loader = FakeLoader(components=components)
    async with running(*children, loader=loader, restarts=0) as (system, watch):
        for name, kind in zip(NAMES, cast, strict=True):
            if kind != "python":
                await system.ask(name, b"count")
        async with trio.open_nursery() as nursery:
            crowd = JointWait(system, nursery)
            for number, ask in enumerate(script):
                nursery.start_soon(crowd.ask, number, *ask)
        await trio.sleep(100)
        assert system.waits() == ()
        assert system._broker.pending_count == 0
        for name, kind in zip(NAMES, cast, strict=True):
            if kind in {"guest", "cut that hands over"}:
                assert await system.ask(name, b"count") == b"2"
        assert [end for end in watch.of(ChildExited) if not end.asked] == []
        assert watch.of(SupervisorGaveUp) == []


@settings(max_examples=60, deadline=None)
@given(st.tuples(kinds, kinds, kinds, kinds), asks)
def test_no_asker_ever_moves_a_restart_count(cast, script):
    trio.run(live, cast, script, clock=steady_clock())


# ------------------------------------------------------------------- requests


@pytest.mark.parametrize("options", [{}, CANCEL])
@pytest.mark.parametrize("way", ["its time is up", "cancelled", "its actor ends"])
async def test_a_request_that_is_given_up_restarts_no_actor(
    way, options, loader, fake, autojump_clock
):
    children = component("c", **options), component("asker", shutdown=0)
    async with running(*children, loader=loader, restarts=0) as (system, watch):
        await system.ask("c", b"count")
        services = fake.guests[1].services
        target = fake.guests[0].services.self_id
        name = services.messages.request(
            target, b"sleep:3", 1.0 if "time" in way else 60.0
        )
        await trio.sleep(0.5)
        if way == "cancelled":
            services.messages.cancel_request(name)
        elif way == "its actor ends":
            await system.supervisor("root").terminate_child("local/asker/0")
        await trio.sleep(5)
        assert await system.ask("c", b"count") == b"2"
        assert ends_of(watch) == []
        assert system._broker.pending_count == 0
        assert len(watch.of(MessageFailed)) == (1 if options else 0)
