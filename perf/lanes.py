"""The same guests on both lanes: taken apart by airssys, and by wasmtime's component API.

Compared in one run, for an echo of 64 bytes, 64 KiB and 1 MiB: `Instance.handle_message`
on either lane, and `System.ask` of a component on the own lane and of a Python actor.
Beside that an empty call (`health`) and making an instance. All are processor time of
this process, in the fastest of many rounds: what the machine does besides makes them
slower only.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from time import process_time
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from measuring.guests import Shop, guest_file, lend, message, open_shop
from measuring.ratios import Report, check_count, seconds

from airssys.contracts import EngineSettings, Envelope, Guest, Limits
from airssys.dsl import actor, blueprint, component
from airssys.system import System, open_system

if TYPE_CHECKING:
    from airssys.nursery import ActorContext

SIZES: Final = {"64 B": 64, "64 KiB": 65_536, "1 MiB": 1 << 20}
LANES: Final = ("own", "wasmtime")
_ROOMY: Final = Limits(host_call_bytes=1 << 22)
_ROUND: Final = 0.02
"""Seconds."""
Act: TypeAlias = Callable[[], Awaitable[object]]


def echo_of(guest: Guest, size: int) -> Act:
    """Make what sends a message there and back."""
    sent = message(bytes(size))

    async def echo() -> None:
        answer = await guest.handle_message(sent)
        check_count("bytes", len(answer or b""), size)

    return echo


class Echo:
    """An actor that answers with what it is asked."""

    async def handle(self, _context: ActorContext, envelope: Envelope) -> bytes:
        """Answer."""
        return envelope.payload


def asking(system: System, name: str, size: int) -> Act:
    """Make what asks an actor, and checks the size of the answer."""
    sent = bytes(size)

    async def ask() -> None:
        answer = await system.ask(name, sent)
        check_count("bytes", len(answer or b""), size)

    return ask


def making(shop: Shop) -> Act:
    """Make what makes an instance and closes it."""

    async def make() -> None:
        (await shop.guest()).close()

    return make


async def fastest(acts: dict[str, Act], rounds: int) -> dict[str, float]:
    """Seconds for one time of each, in its fastest round; each has a part in all."""
    times = {}
    for name, act in acts.items():
        await act()
        began = process_time()
        await act()
        times[name] = max(1, int(_ROUND / (process_time() - began)))
    best = dict.fromkeys(acts, float("inf"))
    for _ in range(rounds):
        for name, act in acts.items():
            began = process_time()
            for _ in range(times[name]):
                await act()
            best[name] = min(best[name], (process_time() - began) / times[name])
    return best


async def run(rounds: int) -> None:
    """Measure on both lanes, and report."""
    acts: dict[str, Act] = {}
    async with AsyncExitStack() as stack:
        for lane in LANES:
            settings = EngineSettings(lane=lane)
            shop = await stack.enter_async_context(open_shop("echo", settings))
            guest = await shop.guest()
            for name, size in SIZES.items():
                acts[f"echo of {name}, {lane}"] = echo_of(guest, size)
            acts[f"empty call, {lane}"] = guest.health
            acts[f"instance, {lane}"] = making(shop)
            if lane == "own":
                actors = blueprint(
                    actor("python", Echo),
                    component("guest", guest_file("echo"), limits=_ROOMY),
                )
                lent = lend(shop.loader)
                opening = open_system(actors, open_loader=lambda _, lent=lent: lent)
                system = await stack.enter_async_context(opening)
                acts["ask of 64 B, Python actor"] = asking(system, "python", 64)
                for name, size in SIZES.items():
                    acts[f"ask of {name}, own"] = asking(system, "guest", size)
        found = await fastest(acts, rounds)
    report = Report("Own lane against wasmtime's component API")
    for name, value in found.items():
        report.measured(name, value, seconds)
    report.ratio("echo of 64 B, own", "echo of 64 B, wasmtime", at_most=1.0)
    report.ratio("echo of 64 KiB, own", "echo of 64 KiB, wasmtime", at_most=0.1)
    report.ratio("echo of 1 MiB, own", "echo of 1 MiB, wasmtime", at_most=0.1)
    report.ratio("echo of 64 KiB, own", "echo of 64 B, own", at_most=2)
    report.ratio("echo of 1 MiB, own", "echo of 64 B, own", at_most=10)
    report.ratio("empty call, own", "empty call, wasmtime", at_most=1.5)
    report.ratio("instance, own", "instance, wasmtime", at_most=0.7)
    report.ratio("ask of 64 B, own", "ask of 64 B, Python actor", at_most=1.2)
    report.ratio("ask of 64 KiB, own", "ask of 64 B, own", at_most=2)
    report.ratio("ask of 1 MiB, own", "ask of 64 B, own", at_most=5)
    report.finish()


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    chosen = parser.parse_args()
    trio.run(run, chosen.rounds)


if __name__ == "__main__":
    main()
