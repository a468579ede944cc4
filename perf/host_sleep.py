"""1,000 guests that each await a 10 ms host sleep, against 1,000 bare Trio sleeps.

Compared in one run: tasks that do nothing but `trio.sleep(0.01)`; tasks that let a
guest handle a message, in which it sleeps as long; and the same through `System.ask`.
Each number is the time from starting the first task to the end of the last.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Final, final

import attrs
import pyperf
import trio
from measuring.guests import guest_file, message, open_shop
from measuring.ratios import bench, check_count, report_medians

from airssys.dsl import blueprint, component
from airssys.system import open_system

SLEEPERS: Final = 1000
_MILLISECONDS: Final = b"10"
_WARM: Final = 3


@final
@attrs.define(eq=False)
class JointWait:
    """Sleeps that all begin together, and how many came to their end."""

    sleeps: Sequence[Callable[[], Awaitable[bool]]]
    woke: int = 0

    async def _one(self, sleep: Callable[[], Awaitable[bool]]) -> None:
        woke = await sleep()
        self.woke += woke

    async def time(self, loops: int) -> float:
        """Let all sleep, that many times after some to warm up; returns seconds."""
        for _ in range(_WARM):
            await self._all()
        began = perf_counter()
        for _ in range(loops):
            await self._all()
        took = perf_counter() - began
        check_count("sleepers that woke", self.woke, (loops + _WARM) * len(self.sleeps))
        return took

    async def _all(self) -> None:
        async with trio.open_nursery() as nursery:
            for sleep in self.sleeps:
                nursery.start_soon(self._one, sleep)


async def _sleep() -> bool:
    await trio.sleep(0.01)
    return True


async def _time_bare(loops: int) -> float:
    return await JointWait([_sleep] * SLEEPERS).time(loops)


async def _time_guests(loops: int) -> float:
    asked = message(_MILLISECONDS)
    async with open_shop("sleep") as shop:
        guests = [await shop.guest() for _ in range(SLEEPERS)]

        def sleep_in(number: int) -> Callable[[], Awaitable[bool]]:
            async def sleep() -> bool:
                return await guests[number].handle_message(asked) == _MILLISECONDS

            return sleep

        return await JointWait([sleep_in(n) for n in range(SLEEPERS)]).time(loops)


async def _time_asks(loops: int) -> float:
    code = guest_file("sleep")
    names = [f"sleeper-{n}" for n in range(SLEEPERS)]
    async with open_system(blueprint(*(component(n, code) for n in names))) as system:

        def ask(name: str) -> Callable[[], Awaitable[bool]]:
            async def sleep() -> bool:
                answer = await system.ask(name, _MILLISECONDS, timeout=math.inf)
                return answer == _MILLISECONDS

            return sleep

        return await JointWait([ask(name) for name in names]).time(loops)


def main() -> None:
    """Measure, compare, judge."""
    medians = bench(
        pyperf.Runner(processes=6, values=5),
        {
            "bare sleeps": lambda loops: trio.run(_time_bare, loops),
            "guests": lambda loops: trio.run(_time_guests, loops),
            "asks": lambda loops: trio.run(_time_asks, loops),
        },
    )
    if medians is None:
        return
    report = report_medians(f"{SLEEPERS} sleeps of 10 ms at once", medians)
    report.ratio("guests", "bare sleeps", at_most=3)
    report.ratio("asks", "bare sleeps")
    report.finish()


if __name__ == "__main__":
    main()
