"""State of an instance: what moves it, what it may cost, and what it leaves behind."""

import pytest

from airssys.contracts import GuestRejected, GuestSpent, GuestTrapped, TrapReason
from wasm_support import envelope


@pytest.fixture
def moves(unhurried, monkeypatch):
    """What workers were given to do."""
    done = []
    turns = unhurried.runtime.turns
    in_worker = turns.in_worker

    async def noting(work):
        done.append(work)
        return await in_worker(work)

    monkeypatch.setattr(turns, "in_worker", noting)
    return done


async def counted(guest, times):
    for _ in range(times):
        answer = await guest.handle_message(envelope(b"x"))
    return int(answer)


async def test_state_goes_from_one_instance_to_another(guests):
    old, new = await guests.start("handover"), await guests.start("handover")
    assert old.hands_over
    assert not (await guests.start("state")).hands_over
    await counted(old, 3)
    await new.import_state(await old.export_state())
    assert await counted(new, 1) == 4
    assert await counted(old, 1) == 4


async def test_a_worker_moves_state_that_may_be_large(unhurried, moves):
    # First, since of what one instance has moved the next one's first poll is a worker's.
    small = await unhurried.start("handover", state_bytes=100)
    await small.export_state()
    assert moves == []
    most = 2**20 + 1  # for which a worker is asked on either lane
    guest = await unhurried.start("handover", b"large-export", state_bytes=most)
    assert len(await guest.export_state()) == 100_000
    assert moves


@pytest.mark.parametrize("most", [0, 10, 99_999])
async def test_too_much_of_it_costs_nothing(guests, most):
    guest = await guests.start("handover", b"large-export", state_bytes=most)
    for number in range(1, 4):
        with pytest.raises(GuestRejected, match=rf"more than {most} bytes") as refusal:
            await guest.export_state()
        assert refusal.value.case == "too-large"
        assert guest.spent is None
        assert await counted(guest, 1) == number


async def test_a_trap_costs_the_instance(guests):
    guest = await guests.start("handover", b"trap-export")
    with pytest.raises(GuestTrapped) as trap:
        await guest.export_state()
    assert (trap.value.reason, trap.value.phase) == (
        TrapReason.UNREACHABLE,
        "export-state",
    )
    with pytest.raises(GuestSpent):
        await guest.handle_message(envelope(b"x"))
