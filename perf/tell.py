"""Telling one Python actor, against the plain loop over a memory channel.

Compared in one run, in bursts of so many messages, each burst from its first message to
the handling of its last:

* channel: `async for` over a bounded memory channel, fed by `await send()`;
* tell: `System.tell`, through registry, gates and mailbox, to the actor's handler.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, final

import trio
from measuring.ratios import Report, check_count, seconds
from measuring.sides import least_times
from trio.lowlevel import checkpoint

from airssys.contracts import DEFAULT_MAILBOX, Envelope
from airssys.dsl import actor, blueprint
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.system import System

_PAYLOAD = bytes(64)


@final
class Channel:
    """The plain loop."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self._post, self._letters = trio.open_memory_channel[bytes](DEFAULT_MAILBOX)
        self.received = 0

    async def receive(self) -> None:
        """Count what comes, until cancelled."""
        async for _ in self._letters:
            self.received += 1

    async def time(self) -> float:
        """Send a burst; return the seconds until all of it was received."""
        wanted, send = self.received + self._burst, self._post.send
        began = perf_counter()
        for _ in range(self._burst):
            await send(_PAYLOAD)
        while self.received < wanted:
            await checkpoint()
        return perf_counter() - began


@final
class Told:
    """The actor that is told."""

    def __init__(self, burst: int) -> None:
        self._burst = burst
        self.handled = 0

    async def handle(self, _: object, __: Envelope) -> None:
        """Count a message."""
        self.handled += 1

    async def time(self, system: System) -> float:
        """Tell a burst; return the seconds until all of it was handled."""
        wanted, tell = self.handled + self._burst, system.tell
        target = system.find("told") or "told"
        began = perf_counter()
        for _ in range(self._burst):
            tell(target, _PAYLOAD)
        while self.handled < wanted:
            await checkpoint()
        return perf_counter() - began


async def _measure(burst: int, rounds: int) -> None:
    channel, told = Channel(burst), Told(burst)
    one = blueprint(actor("told", told.handle))
    async with open_system(one) as system, trio.open_nursery() as nursery:
        nursery.start_soon(channel.receive)
        sides = {"channel": channel.time, "tell": lambda: told.time(system)}
        least = await least_times(sides, rounds)
        counted = system.mailbox("told").handled
        nursery.cancel_scope.cancel()
    check_count("messages received", channel.received, rounds * burst)
    check_count("messages handled", told.handled, rounds * burst)
    check_count("messages handled, by the mailbox", counted, rounds * burst)
    report = Report(f"one message to one Python actor, in bursts of {burst}")
    for name, took in least.items():
        report.measured(name, took / burst, seconds)
    report.ratio("channel", "tell", at_least=5)
    report.finish()


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=500, help="messages in a burst")
    parser.add_argument("--rounds", type=int, default=400, help="bursts on each side")
    options = parser.parse_args()
    trio.run(_measure, options.burst, options.rounds)


if __name__ == "__main__":
    main()
