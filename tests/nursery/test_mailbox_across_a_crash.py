"""What happens to messages when their actor crashes: the one being handled, and all others."""

from collections import Counter

import pytest
import trio
import trio.testing
from hypothesis import given, strategies as st

from airssys.contracts import (
    NO_BACKOFF,
    Backoff,
    Callback,
    CalleeFailed,
    ComponentId,
    DeadLetter,
    DeadReason,
    Directive,
    Envelope,
    Growth,
    Health,
    HealthStatus,
    Intensity,
    InvalidMessage,
    MailboxFull,
    NoAnswer,
    Overflow,
    Poison,
    RestartType,
    Strategy,
    SupervisorSpec,
    Unavailable,
)
from airssys.messaging import Quarantine
from airssys.nursery import Stop
from airssys.nursery.actors._poison import Retried, choose

from .company import component, python, running
from .fake_guest import FakeLoader

pytestmark = pytest.mark.usefixtures("handler_kind")

SLOW = Backoff(growth=Growth.CONSTANT, first=10.0)


class Worker:
    """Crashes over `bad`, each time; over `once` the first time. Notes what it did."""

    def __init__(self, log, crashed):
        self.log, self.crashed = log, crashed

    async def handle(self, context, envelope):
        word = envelope.payload
        self.log.append(word)
        if word.startswith(b"sleep"):
            await trio.sleep(5)
        if word.startswith(b"bad"):
            raise ValueError("on purpose")
        if word.startswith(b"once") and word not in self.crashed:
            self.crashed.add(word)
            raise ValueError("on purpose, once")
        return word


def worker(log, name="w", **options):
    options = {"backoff": NO_BACKOFF} | options
    return python(name, Worker, arguments=(log, set()), **options)


class Asker:
    """Asks in the background, and notes when the answer came."""

    def __init__(self, system, nursery):
        self.system, self.nursery, self.ends = system, nursery, {}

    async def ask(self, payload, name="w", timeout=100):
        self.nursery.start_soon(self._ask, payload, name, timeout)
        await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, payload, name, timeout):
        try:
            end = await self.system.ask(name, payload, timeout=timeout)
        except Exception as error:  # noqa: BLE001  # the test inspects it
            end = error
        self.ends[payload] = (trio.current_time(), end)


def letters(watch):
    return [(d.payload, d.reason) for d in watch]


# ------------------------------------------------------ while idle, in back-off, after


async def test_a_crash_while_idle_loses_nothing(autojump_clock):
    """An idle actor crashes by its probe: no message is being handled."""
    log = []

    class Frail(Worker):
        async def health(self, context):
            if not self.crashed:
                self.crashed.add("probe")
                raise ValueError("of itself")
            return HealthStatus.HEALTHY

    probes = Health(interval=1.0)
    spec = python(
        "w", Frail, arguments=(log, set()), health=probes, backoff=SLOW, mailbox=5
    )
    async with running(spec) as (system, watch):
        await trio.sleep(2)
        for number in range(5):
            system.tell("w", b"%d" % number)
        await trio.sleep(20)
        assert log == [b"0", b"1", b"2", b"3", b"4"]
        assert watch.of(DeadLetter) == []
        assert system.mailbox("w").handled == 5


@pytest.mark.parametrize("poison", Poison)
async def test_during_back_off_messages_queue_then_the_policy_applies(
    poison, autojump_clock
):
    log = []
    rules = {"mailbox": 2, "overflow": Overflow.BLOCK, "poison": poison}
    async with (
        running(worker(log, backoff=SLOW, **rules)) as (system, _),
        trio.open_nursery() as nursery,
    ):
        asker = Asker(system, nursery)
        await asker.ask(b"once")
        await trio.sleep(1)
        room = 1 if poison is Poison.RETRY else 2
        for number in range(room):
            system.tell("w", b"%d" % number)
        with pytest.raises(MailboxFull):
            system.tell("w", b"too many")
        await asker.ask(b"waits for room")
        await trio.sleep(1)
        assert system.tree().find("local/w/0").blocked == ("local/outside/0",)
        assert b"waits for room" not in asker.ends
        await trio.sleep(20)
        assert asker.ends[b"waits for room"] == (10, b"waits for room")
        when, end = asker.ends[b"once"]
        if poison is Poison.RETRY:
            assert (when, end) == (10, b"once")
        else:
            assert when == 0
            assert isinstance(end, CalleeFailed)


@pytest.mark.parametrize("poison", Poison)
async def test_after_giving_up_all_mail_is_dead_and_askers_get_an_error_at_once(
    poison, autojump_clock
):
    log = []
    tight = SupervisorSpec(
        name="tight",
        children=(worker(log, poison=poison),),
        intensity=Intensity(0, 60.0),
        restart=RestartType.TEMPORARY,
    )
    async with running(tight) as (system, _), trio.open_nursery() as nursery:
        asker = Asker(system, nursery)
        with system.dead_letters() as dead:
            for payload in (b"sleep", b"bad", b"1", b"2"):
                await asker.ask(payload)
            system.tell("w", b"3")
            await trio.sleep(6)
            assert log == [b"sleep", b"bad"]
            found = {letter.payload: letter.reason for letter in drain(dead)}
        assert (
            found[b"bad"]
            is {
                Poison.DROP: DeadReason.CRASHED,
                Poison.RETRY: DeadReason.STOPPED,
                Poison.QUARANTINE: DeadReason.QUARANTINED,
            }[poison]
        )
        assert {found[each] for each in (b"1", b"2", b"3")} == {DeadReason.STOPPED}
        for payload in (b"bad", b"1", b"2"):
            when, end = asker.ends[payload]
            assert when == 5
            # That one was begun; the others can be sent again without a doubt.
            assert type(end) is (CalleeFailed if payload == b"bad" else Unavailable)
        gone = r"w/0 is not running: root/tight gave up at \d{4}-\d\d-\d\d .* UTC"
        with pytest.raises(Unavailable, match=gone):
            system.tell("w", b"nobody")


def drain(stream):
    found = []
    while True:
        try:
            found.append(stream.next_nowait())
        except trio.WouldBlock:
            return found


# ------------------------------------------------------------ the message being handled


ME = ComponentId.parse("w")
PLAIN = Envelope(ME, ME, b"")
CRASH, END = ValueError(), Stop("on purpose")
GROUP = ExceptionGroup("one", [CRASH])


@pytest.mark.parametrize("error", [CRASH, END, GROUP])
@pytest.mark.parametrize("envelope", [PLAIN, Retried(*PLAIN), Callback(*PLAIN)])
@pytest.mark.parametrize("poison", Poison)
def test_the_choice_is_for_crashes_over_messages_and_is_made_once(
    poison, envelope, error
):
    is_kept = error is not END and not isinstance(envelope, Callback)
    if poison is Poison.RETRY and isinstance(envelope, Retried):
        is_kept = False
    assert choose(poison, envelope, error) is (poison if is_kept else Poison.DROP)


async def test_dropped_it_is_not_delivered_again(autojump_clock):
    log = []
    async with running(worker(log)) as (system, watch):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("w", b"once")
        assert caught.value.reason is NoAnswer.CRASHED
        assert await system.ask("w", b"1") == b"1"
        assert log == [b"once", b"1"]
        assert [d.reason for d in watch.of(DeadLetter)] == [DeadReason.CRASHED]


async def test_retried_it_comes_first_and_its_asker_gets_the_answer(autojump_clock):
    log = []
    async with running(worker(log, poison=Poison.RETRY)) as (system, watch):
        async with trio.open_nursery() as nursery:
            asker = Asker(system, nursery)
            for payload in (b"sleep", b"once", b"1"):
                await asker.ask(payload)
        ends = {payload: end for payload, (_, end) in asker.ends.items()}
        assert ends == {payload: payload for payload in (b"sleep", b"once", b"1")}
        assert log == [b"sleep", b"once", b"once", b"1"]
        assert watch.of(DeadLetter) == []
        assert system.mailbox("w").handled == 3


async def test_retried_it_crashes_its_actor_twice_and_no_more(autojump_clock):
    log = []
    async with running(worker(log, poison=Poison.RETRY)) as (system, watch):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("w", b"bad")
        assert caught.value.reason is NoAnswer.CRASHED
        assert await system.ask("w", b"1") == b"1"
        assert log == [b"bad", b"bad", b"1"]
        assert [d.reason for d in watch.of(DeadLetter)] == [DeadReason.CRASHED]


async def test_retried_it_is_not_handled_after_its_deadline(autojump_clock):
    log = []
    spec = worker(log, poison=Poison.RETRY, backoff=SLOW)
    async with running(spec) as (system, watch), trio.open_nursery() as nursery:
        asker = Asker(system, nursery)
        await asker.ask(b"once", timeout=3)
        await trio.sleep(20)
        assert asker.ends[b"once"][0] == 3
        assert log == [b"once"]
        assert [d.reason for d in watch.of(DeadLetter)] == [DeadReason.EXPIRED]


async def test_retried_it_goes_before_what_was_set_aside(autojump_clock):
    log = []

    class Stashing(Worker):
        async def handle(self, context, envelope):
            if not self.crashed and envelope.payload != b"once":
                context.stash()
            return await super().handle(context, envelope)

    spec = python(
        "w",
        Stashing,
        arguments=(log, set()),
        poison=Poison.RETRY,
        backoff=NO_BACKOFF,
        mailbox=2,
    )
    async with running(spec) as (system, watch):
        for payload in (b"1", b"2", b"once"):
            system.tell("w", payload)
            await trio.testing.wait_all_tasks_blocked()
        assert log == [b"1", b"2", b"once", b"once", b"1", b"2"]
        assert watch.of(DeadLetter) == []
        assert system.mailbox("w").handled == 3


@pytest.mark.parametrize("directive", [Directive.STOP, Directive.ESCALATE])
async def test_retried_without_another_incarnation_it_is_dead(
    directive, autojump_clock
):
    spec = worker([], poison=Poison.RETRY, on_error=((ValueError, directive),))
    side = SupervisorSpec(name="side", children=(spec,), restart=RestartType.TEMPORARY)
    async with running(side) as (system, watch):
        with pytest.raises(CalleeFailed) as caught:
            await system.ask("w", b"bad")
        assert caught.value.reason is NoAnswer.STOPPED
        assert [d.reason for d in watch.of(DeadLetter)] == [DeadReason.STOPPED]


async def test_what_a_sibling_interrupts_is_not_poison(autojump_clock):
    log = []
    pair = SupervisorSpec(
        name="pair",
        children=(
            worker(log, poison=Poison.QUARANTINE, shutdown=1.0),
            worker([], "other"),
        ),
        strategy=Strategy.ONE_FOR_ALL,
    )
    async with running(pair) as (system, watch), trio.open_nursery() as nursery:
        asker = Asker(system, nursery)
        await asker.ask(b"sleep")
        await trio.sleep(1)
        system.tell("other", b"bad")
        await trio.sleep(5)
        _, end = asker.ends[b"sleep"]
        assert end.reason is NoAnswer.STOPPED
        assert system.quarantine.total == 0
        reasons = [d.reason for d in watch.of(DeadLetter)]
        assert sorted(r.value for r in reasons) == ["crashed", "stopped"]


async def test_quarantined_it_is_kept_and_its_sender_is_notified(autojump_clock):
    log = []
    async with running(worker(log, poison=Poison.QUARANTINE)) as (system, watch):
        with pytest.raises(CalleeFailed, match="it is in quarantine"):
            await system.ask("w", b"once")
        assert await system.ask("w", b"1") == b"1"
        (letter,) = watch.of(DeadLetter)
        assert letter.reason is DeadReason.QUARANTINED
        (kept,) = system.quarantine.messages()
        assert (kept.payload, str(kept.sender)) == (b"once", "local/outside/0")
        assert kept.why == "ValueError: on purpose, once"
        assert system.quarantine.messages(kept.target) == (kept,)
        assert system.quarantine.messages(kept.sender) == ()


async def test_released_it_is_delivered_in_the_name_of_its_sender(autojump_clock):
    log = []
    spec = worker(log, poison=Poison.QUARANTINE, mailbox=1, backoff=SLOW)
    async with running(spec) as (system, _):
        system.tell("w", b"bad")
        await trio.sleep(1)
        (kept,) = system.quarantine.messages()
        system.tell("w", b"fills the mailbox")
        with pytest.raises(MailboxFull):
            system.quarantine.release(kept)
        assert system.quarantine.messages() == (kept,)
        await trio.sleep(20)
        system.quarantine.release(kept)
        with pytest.raises(InvalidMessage, match="not in quarantine any more"):
            system.quarantine.release(kept)
        await trio.sleep(20)
        assert log == [b"bad", b"fills the mailbox", b"bad"]
        (again,) = system.quarantine.messages()
        assert again is not kept
        assert system.quarantine.discard(again)
        assert not system.quarantine.discard(again)
        assert system.quarantine.messages() == ()
        assert system.quarantine.total == 2


def test_the_quarantine_is_bounded_in_number_and_in_bytes(make_letters):
    quarantine, keep = make_letters(kept=3, kept_bytes=100)
    for size in (10, 10, 10, 10):
        keep(size)
    assert [len(m.payload) for m in quarantine.messages()] == [10, 10, 10]
    keep(85)
    assert [len(m.payload) for m in quarantine.messages()] == [10, 85]
    keep(101)
    assert quarantine.messages() == ()
    assert quarantine.total == 6


@pytest.fixture
def make_letters():
    me = ComponentId.parse("w")

    def make(**bounds):
        quarantine = Quarantine(None, **bounds)
        return quarantine, lambda size: quarantine.add(
            Envelope(me, me, bytes(size)), "why"
        )

    return make


@pytest.mark.parametrize("poison", Poison)
async def test_components_have_the_same_choice(poison, autojump_clock):
    loader = FakeLoader()
    spec = component("c", poison=poison, backoff=NO_BACKOFF)
    async with running(spec, loader=loader) as (system, watch):
        with pytest.raises(CalleeFailed):
            await system.ask("c", b"trap")
        assert await system.ask("c", b"hello") == b"hello"
        (fake,) = loader.components.values()
        crashes = 2 if poison is Poison.RETRY else 1
        assert len(fake.guests) == 1 + crashes
        assert len(system.quarantine.messages()) == (poison is Poison.QUARANTINE)
        assert len(watch.of(DeadLetter)) == 1


WORDS = st.lists(st.sampled_from([b"ok", b"bad", b"once"]), max_size=8)


@given(WORDS, st.sampled_from(Poison), st.sampled_from(RestartType))
def test_every_message_is_tried_as_often_as_it_may_and_ends_once(
    words, poison, restart
):
    payloads = [b"%s %d" % (word, number) for number, word in enumerate(words)]
    on_error = ((ValueError, Directive.RESTART),)
    log = []
    spec = worker(log, poison=poison, on_error=on_error, restart=restart)

    async def main():
        async with running(spec, restarts=100) as (system, _):
            with system.dead_letters() as stream:
                for payload in payloads:
                    system.tell("w", payload)
                await trio.sleep(1)
                dead = [letter.payload for letter in drain(stream)]
            counts = system.mailbox("w")
            assert counts.queued == 0
            kept = [m.payload for m in system.quarantine.messages()]
            return dead, counts.handled, kept

    dead, handled, kept = trio.run(
        main, clock=trio.testing.MockClock(autojump_threshold=0)
    )
    again = poison is Poison.RETRY
    fails = {b"ok": 0, b"bad": 2 if again else 1, b"once": 1}
    tries = Counter({p: fails[p.split()[0]] for p in payloads})
    lost = [p for p in payloads if p[:3] == b"bad" or (p[:4] == b"once" and not again)]
    for payload in set(payloads) - set(lost):
        tries[payload] += 1
    assert Counter(log) == +tries
    assert list(dict.fromkeys(log)) == payloads
    assert dead == lost
    assert handled == len(payloads) - len(lost)
    assert kept == (lost if poison is Poison.QUARANTINE else [])
