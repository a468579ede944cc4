"""Every limit bites, shown with a guest that wants more."""

import pytest
import trio

from airssys.contracts import (
    KIB,
    MIB,
    Fault,
    GuestRejected,
    GuestTrapped,
    TrapReason,
    Unwanted,
)
from pace import Stopwatch
from wasm_support import ScriptedServices, envelope, open_guests, process_memory

PAGE = 65536
MILLION = 1_000_000


async def stopped(guest, payload=b"", **fields):
    """Let a guest handle a message, which it must not survive; returns why."""
    with pytest.raises(GuestTrapped) as caught:
        await guest.handle_message(envelope(payload, **fields))
    assert guest.spent is caught.value
    return caught.value


# -- time


async def test_sleeping_counts_towards_the_execution_time(guests, autojump_clock):
    guest = await guests.start("sleep", execution_time=5)
    assert await guest.handle_message(envelope(b"4900")) == b"4900"
    before = trio.current_time()
    failure = await stopped(guest, b"5100")
    assert failure.reason is TrapReason.TIME_LIMIT
    assert "5 s (execution_time)" in failure.text
    assert trio.current_time() - before == pytest.approx(5, abs=0.1)


async def test_the_time_begins_anew_with_each_call(guests, autojump_clock):
    guest = await guests.start("sleep", execution_time=1)
    for _ in range(5):
        assert await guest.handle_message(envelope(b"900")) == b"900"


async def test_asking_counts_towards_the_execution_time(guests, autojump_clock):
    class NeverAnswers(ScriptedServices):
        async def ask(self, *_):
            await trio.sleep_forever()

    guest = await guests.start("asker", services=NeverAnswers(), execution_time=2)
    failure = await stopped(guest)
    assert failure.reason is TrapReason.TIME_LIMIT


@pytest.mark.parametrize("name", ["loop", "flood"])
async def test_slices_count_towards_the_execution_time(guests, name):
    guest = await guests.start(name, execution_time=0.05)
    watch = Stopwatch()
    failure = await stopped(guest)
    assert failure.reason is TrapReason.TIME_LIMIT
    # What the machine took counts as the guest's, too.
    assert 0.05 <= guest._driver._used < 0.15 + watch.late()


async def test_slices_and_host_calls_add_up(guests, autojump_clock):
    class SlowToSend(ScriptedServices):
        async def send(self, *_):
            await trio.sleep(0.6)

    guest = await guests.start("sender", services=SlowToSend(), execution_time=1)
    guest._driver._used = 0.5
    watch = Stopwatch()
    await guest.handle_message(envelope())
    assert 0.6 <= guest._driver._used < 0.7 + watch.late()


async def test_waiting_for_a_turn_does_not_count(guests):
    """Four guests that loop have a quarter of the time each; all use it up."""
    limit = 0.06
    loops = await guests.many(4, "loop", execution_time=limit)
    before = trio.current_time()
    async with trio.open_nursery() as nursery:
        for guest in loops:
            nursery.start_soon(stopped, guest)
    assert trio.current_time() - before > 3 * limit
    assert all(guest._driver._used >= limit for guest in loops)


async def test_waiting_for_the_first_turn_does_not_count(guests, autojump_clock):
    guest = await guests.start("echo", execution_time=1)
    hold_the_line(guests, 60)
    assert await guest.handle_message(envelope(b"hello")) == b"hello"
    assert trio.current_time() >= 60


def hold_the_line(guests, seconds):
    """Make first slices wait for so long, as they would behind very many others."""

    async def begin(*, proven):
        await trio.sleep(seconds)

    turns = guests.runtime.turns
    turns.may_begin = lambda *, proven: False
    turns.begin = begin


async def test_a_call_whose_caller_has_gone_when_its_turn_comes_is_not_begun(
    guests, autojump_clock
):
    guest = await guests.start("state")
    turns = guests.runtime.turns
    may_begin, begin = turns.may_begin, turns.begin
    hold_the_line(guests, 60)
    with pytest.raises(Unwanted):
        await guest.handle_message(envelope(deadline=trio.current_time() + 2))
    turns.may_begin, turns.begin = may_begin, begin
    assert guest.spent is None
    assert await guest.handle_message(envelope()) == b"1"


async def test_a_call_cancelled_while_it_waits_for_its_turn_spends_nothing(
    guests, autojump_clock
):
    guest = await guests.start("state")
    turns = guests.runtime.turns
    may_begin, begin = turns.may_begin, turns.begin
    hold_the_line(guests, 60)
    with trio.move_on_after(2) as scope:
        await guest.handle_message(envelope())
    assert scope.cancelled_caught
    turns.may_begin, turns.begin = may_begin, begin
    assert guest.spent is None
    assert await guest.handle_message(envelope()) == b"1"


async def test_a_deadline_of_the_asker_is_not_a_limit_of_the_guest(
    guests, autojump_clock
):
    guest = await guests.start("sleep", execution_time=30)
    deadline = trio.current_time() + 4
    answer = await guest.handle_message(envelope(b"5000", deadline=deadline))
    assert answer == b"5000"
    assert trio.current_time() > deadline
    assert guest.spent is None


async def test_a_busy_guest_ends_by_its_own_limit_and_not_by_the_deadline(guests):
    guest = await guests.start("loop", execution_time=0.1)
    failure = await stopped(guest, deadline=trio.current_time() + 0.02)
    assert failure.reason is TrapReason.TIME_LIMIT
    assert failure.fault is Fault.GUEST
    assert guest._driver._used >= 0.1


async def test_a_call_that_takes_no_time_is_in_time(unticked, mock_clock):
    guest = await unticked.start("echo")
    now = trio.current_time()
    assert await guest.handle_message(envelope(b"x", deadline=now)) == b"x"


# -- fuel


async def test_fuel_is_filled_up_for_each_call(guests):
    guest = await guests.start("spin", fuel=30 * MILLION)
    for _ in range(5):
        assert await guest.handle_message(envelope(b"2")) == b"2"
    assert (await stopped(guest, b"20")).reason is TrapReason.FUEL_EXHAUSTED


async def test_what_a_start_function_burns_is_filled_up_too(guests):
    with pytest.raises(GuestTrapped) as caught:
        await guests.make("loop-start", fuel=1000)
    assert caught.value.reason is TrapReason.FUEL_EXHAUSTED


async def test_fuel_is_not_limited_unless_it_is_declared(guests):
    guest = await guests.start("spin")
    assert await guest.handle_message(envelope(b"50")) == b"50"


# -- memory and tables


async def test_one_memory_has_all_there_is(guests):
    guest = await guests.start("memory-hog", memory_bytes=10 * PAGE)
    answers = [
        await guest.handle_message(envelope(pages)) for pages in (b"4", b"6", b"5")
    ]
    assert answers == [b"1", b"-1", b"5"]


MEMORIES = ["memory-hog-twenty", "multi-memory-hog"]


async def could_grow(guest, by):
    return int(await guest.handle_message(envelope(b"%d" % by)))


@pytest.mark.parametrize("name", MEMORIES)
async def test_many_memories_together_stay_within_the_limit(guests, name):
    limit = 100 * PAGE
    guest = await guests.start(name, memory_bytes=limit)
    pages = 21
    while grown := await could_grow(guest, 1):
        pages += grown
    assert pages * PAGE <= limit
    assert pages > 80


@pytest.mark.parametrize("name", MEMORIES)
async def test_many_memories_cannot_take_it_in_one_step(guests, name):
    guest = await guests.start(name, memory_bytes=100 * PAGE)
    assert await could_grow(guest, 5) == 0


async def test_a_table_grows_to_its_limit(guests):
    guest = await guests.start("table-hog", table_elements=100)
    assert [await could_grow(guest, by) for by in (50, 50, 49)] == [1, -1, 51]


async def test_many_tables_together_stay_within_the_limit(guests):
    guest = await guests.start("table-hog-twenty", table_elements=100)
    elements = 20
    while grown := await could_grow(guest, 1):
        elements += grown
    assert elements == 100


# -- stack


@pytest.mark.parametrize(("stack", "enough"), [(64 * KIB, False), (16 * MIB, True)])
async def test_the_stack_is_as_deep_as_the_settings_say(compiled, stack, enough):
    settings = {"guest_stack_bytes": stack, "fiber_stack_bytes": stack + MIB}
    async with open_guests(compiled, **settings) as guests:
        guest = await guests.start("deep-recursion")
        assert await guest.handle_message(envelope(b"100")) == b"100"
        if enough:
            assert await guest.handle_message(envelope(b"100000")) == b"100000"
        else:
            failure = await stopped(guest, b"100000")
            assert failure.reason is TrapReason.STACK_EXHAUSTED


# -- what the host keeps

ENGINE_SAYS = "fuel allocated for hostcalls has been exhausted"
WE_SAY = "more than 1048576 bytes for the host to keep (host_call_bytes)"


@pytest.mark.parametrize(
    ("name", "elements", "passes", "text"),
    [
        ("huge-to-host", MILLION, True, ""),
        ("huge-to-host", 2 * MILLION, True, ""),
        ("huge-to-host", 3 * MILLION, False, ENGINE_SAYS),
        ("huge-to-host", 200 * MILLION, False, ENGINE_SAYS),
        ("huge-return", MILLION, True, ""),
        ("huge-return", 2 * MILLION, True, ""),
        ("huge-return", 3 * MILLION, False, ENGINE_SAYS),
        ("huge-return", 200 * MILLION, False, ENGINE_SAYS),
        ("huge-log", 3 * MILLION, True, ""),
        ("huge-log", 200 * MILLION, False, ENGINE_SAYS),
    ],
)
async def test_with_our_limit_at_its_highest_the_engine_has_its_own(
    guests, name, elements, passes, text
):
    guest = await guests.start(name, memory_bytes=512 * MIB, host_call_bytes=128 * MIB)
    if guests.runtime.settings.lane == "own":  # the limit is ours alone, and in bytes
        passes, text = elements <= 128 * MIB, "134217728 bytes for the host to keep"
    if passes:
        answer = await guest.handle_message(envelope(b"%d" % elements))
        assert answer == b"ok" or len(answer) == elements
    else:
        failure = await stopped(guest, b"%d" % elements)
        assert failure.reason is TrapReason.HOST_ALLOCATION_LIMIT
        assert text in failure.text


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("huge-to-host", MILLION),
        ("huge-return", MILLION),
        ("huge-log", MIB),
    ],
)
async def test_up_to_our_limit_a_guest_lives(guests, name, elements):
    guest = await guests.start(name)
    answer = await guest.handle_message(envelope(b"%d" % elements))
    assert answer == b"ok" or len(answer) == elements
    assert guest.spent is None


async def test_up_to_our_limit_a_list_is_taken(guests):
    """What is refused here are the targets: their names are empty."""
    guest = await guests.start("huge-list-to-host")
    payload_bytes = len("hello")
    most = (MIB - payload_bytes) // 32
    with pytest.raises(GuestRejected, match="target-not-found"):
        await guest.handle_message(envelope(b"%d" % most))
    failure = await stopped(guest, b"%d" % (most + 1))
    assert failure.text == WE_SAY


@pytest.mark.parametrize("name", ["huge-to-host", "huge-return"])
async def test_above_our_limit_it_is_spent_and_the_host_keeps_nothing(guests, name):
    await stopped(await guests.start(name), b"2000000")
    guests.close()
    before = process_memory()
    for _ in range(3):
        guest = await guests.start(name)
        failure = await stopped(guest, b"2000000")
        assert (failure.reason, failure.text) == (
            TrapReason.HOST_ALLOCATION_LIMIT,
            WE_SAY,
        )
        guest.close()
    assert guests.services.calls == []
    assert process_memory() - before < 32 * MIB


async def test_each_host_call_has_the_whole_allowance(guests):
    """The limit is for one call to the host, not for all of them together."""
    guest = await guests.start("huge-to-host", host_call_bytes=MIB)
    for _ in range(3):
        assert await guest.handle_message(envelope(b"900000")) == b"ok"
    assert sum(len(payload) for _, payload in guests.services.called("send")) > 2 * MIB
