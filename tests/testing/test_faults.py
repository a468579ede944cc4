"""Faults come everywhere, and what a scenario leaves behind is found."""

import pytest
import trio

from airssys.testing import cancel_at_every_step, raise_at_every_checkpoint


class Leaky:
    """Takes something, waits, and gives it back, unless it is struck there."""

    def __init__(self):
        self.taken = 0
        self.ends = []

    async def __call__(self):
        self.taken += 1
        self.ends.append("cut")
        await trio.sleep(1)
        self.taken -= 1
        self.ends[-1] = "whole"

    def check(self):
        assert self.taken == 0


class Careful(Leaky):
    async def __call__(self):
        self.taken += 1
        self.ends.append("cut")
        try:
            for _ in range(3):
                await trio.sleep(1)
            self.ends[-1] = "whole"
        finally:
            self.taken -= 1


WAYS = cancel_at_every_step, raise_at_every_checkpoint


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_left_behind_is_found_and_placed(way, autojump_clock):
    leaky = Leaky()
    with pytest.raises(AssertionError) as caught:
        await way(leaky, check=leaky.check)
    assert any("step" in note or "wait" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("way", WAYS)
async def test_every_place_is_tried_and_the_last_run_is_whole(way, autojump_clock):
    careful = Careful()
    places = await way(careful, check=careful.check)
    assert careful.ends[-1] == "whole"
    assert len(careful.ends) == places + 1
    assert careful.ends[0] == "cut"
    assert places >= 3


async def test_three_waits_are_three_places(autojump_clock):
    careful = Careful()
    assert await raise_at_every_checkpoint(careful) == 3
    assert careful.ends == ["cut", "cut", "cut", "whole"]


async def test_a_fault_comes_out_of_nurseries_and_leaves_queues_in_order(
    autojump_clock,
):
    lock, done = trio.Lock(), []

    async def scenario():
        async with trio.open_nursery() as nursery:

            async def hold():
                async with lock:
                    await trio.sleep(1)

            nursery.start_soon(hold)
            await trio.sleep(0.5)
            async with lock:
                await trio.sleep(1)
        done.append(True)

    def check():
        assert not lock.locked()
        assert lock.statistics().tasks_waiting == 0

    assert await raise_at_every_checkpoint(scenario, check=check) == 3
    assert done == [True]


async def test_another_error_is_not_swallowed(autojump_clock):
    async def scenario():
        try:
            await trio.sleep(1)
        except ValueError as fault:
            raise OSError("made worse") from fault

    with pytest.raises(OSError, match="made worse") as caught:
        await raise_at_every_checkpoint(scenario, lambda: ValueError("fault"))
    assert caught.value.__notes__ == ["raised at wait 1"]
