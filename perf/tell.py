"""Telling one Python actor, against the plain loop over a memory channel.

Compared in one run, in bursts of messages, each burst from its first message to the handling
of its last:

* channel: `async for` over a bounded memory channel, fed by `await send()`;
* tell: `System.tell`, through registry, gates and mailbox, to the actor's handler.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING

import trio
from measuring.ratios import Report, check_count, seconds
from measuring.sides import Side, least_times
from trio.lowlevel import checkpoint

from airssys.contracts import DEFAULT_MAILBOX, Envelope
from airssys.dsl import actor, blueprint
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.system import System

_PAYLOAD = bytes(64)
_handled = 0


async def _handle(_: object, __: Envelope) -> None:
    global _handled  # noqa: PLW0603  # the least that a handler can do
    _handled += 1


async def _receive(letters: trio.MemoryReceiveChannel[bytes]) -> None:
    global _handled  # noqa: PLW0603  # as above
    async for _ in letters:
        _handled += 1


def _channel(post: trio.MemorySendChannel[bytes], burst: int) -> Side:
    async def time() -> float:
        wanted, send = _handled + burst, post.send
        began = perf_counter()
        for _ in range(burst):
            await send(_PAYLOAD)
        while _handled < wanted:
            await checkpoint()
        return perf_counter() - began

    return time


def _tell(system: System, burst: int) -> Side:
    async def time() -> float:
        wanted, tell = _handled + burst, system.tell
        target = system.find("counter") or "counter"
        began = perf_counter()
        for _ in range(burst):
            tell(target, _PAYLOAD)
        while _handled < wanted:
            await checkpoint()
        return perf_counter() - began

    return time


async def _measure(burst: int, rounds: int) -> None:
    post, letters = trio.open_memory_channel[bytes](DEFAULT_MAILBOX)
    one = blueprint(actor("counter", _handle))
    async with open_system(one) as system, trio.open_nursery() as nursery:
        nursery.start_soon(_receive, letters)
        sides = {"channel": _channel(post, burst), "tell": _tell(system, burst)}
        least = await least_times(sides, rounds)
        handled = system.mailbox("counter").handled
        nursery.cancel_scope.cancel()
    check_count("messages handled by the actor", handled, rounds * burst)
    check_count("messages handled on both sides", _handled, 2 * rounds * burst)
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
