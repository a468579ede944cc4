"""A chain of asks that is much longer than Python's recursion limit, and given up."""

import sys

import pytest
import trio
import trio.testing

from airssys.contracts import AskTimedOut, ComponentId

from .company import python, running

LINKS = sys.getrecursionlimit() + 100


class Link:
    def __init__(self, number, cancelled):
        self.number, self.cancelled = number, cancelled

    async def handle(self, context, envelope):
        try:
            if self.number + 1 < LINKS:
                return await context.ask(f"n{self.number + 1}", b"", timeout=60)
            await trio.sleep_forever()
        except trio.Cancelled:
            self.cancelled.append(self.number)
            raise


async def time_out(system, nursery):
    with pytest.raises(AskTimedOut):
        await system.ask("n0", b"", timeout=1)


async def leave(system, nursery):
    with trio.move_on_after(1) as scope:
        await system.ask("n0", b"", timeout=60)
    assert scope.cancelled_caught


async def stop(system, nursery):
    system.tell("n0", b"")
    await trio.testing.wait_all_tasks_blocked()
    await system.supervisor("root").terminate_child(ComponentId("local", "n0"))


@pytest.mark.unmeasured
@pytest.mark.parametrize("give_up", [time_out, leave, stop])
async def test_all_are_notified_that_the_first_one_waits_no_longer(
    autojump_clock, nursery, give_up
):
    cancelled = []
    links = [
        python(f"n{number}", Link, arguments=(number, cancelled), shutdown=0.1)
        for number in range(LINKS)
    ]
    async with running(*links, stop_timeout=60.0, restarts=0) as (system, _):
        await give_up(system, nursery)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(cancelled) == list(range(LINKS))
        assert system.waits() == ()
