"""Latency of an honest actor beside guests that make the host do long work.

In each scene a crowd of guests repeats one kind of host call forever, each call as large
as permitted: long lists of names, megabytes, lines full of control characters, listings
of thousands. Beside them a Trio task beats every 10 ms, and two others ask a guest and a
Python actor. 99 of 100 asks must be answered within ten ticks (50 ms).
"""

from __future__ import annotations

import argparse
import math
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import attrs
import trio
from measuring.guests import PAYLOAD, guest_file
from measuring.ratios import Report, count, percentile, seconds

from airssys.contracts import (
    BRUTAL_KILL,
    MIB,
    ActorSpec,
    EngineSettings,
    Limits,
    Quotas,
)
from airssys.dsl import actor, blueprint, component
from airssys.security import everything
from airssys.system import System, open_system

if TYPE_CHECKING:
    from airssys.contracts import ComponentSpec, Envelope

TICK: Final = EngineSettings().tick
MOST_ASK: Final = 10 * TICK
_BEAT: Final = 0.01
_PATIENT: Final = Limits(execution_time=3600)
_LARGE: Final = Limits(execution_time=3600, host_call_bytes=2 * MIB)


@final
@attrs.frozen
class Scene:
    """A number of guests of one kind, how much each does, and others that they need."""

    name: str
    guest: str = ""
    much: int = 0
    size: int = 16
    others: int = 0
    """Python actors, subscribed to what is published."""
    limits: Limits = _PATIENT

    def crowd(self) -> list[ComponentSpec]:
        """Declare the guests."""
        file, stop = guest_file(self.guest), BRUTAL_KILL
        return [
            component(
                f"crowd-{n}",
                file,
                limits=self.limits,
                shutdown=stop,
                can=everything(),
                quotas=Quotas.unlimited(),
            )
            for n in range(self.size)
        ]

    def bystanders(self) -> list[ActorSpec]:
        """Declare the Python actors."""
        return [
            actor(f"other-{n}", _ignore, topics=("flood",)) for n in range(self.others)
        ]


SCENES: Final = (
    Scene("no others", size=0),
    Scene(
        "broadcasts to 16,000 absent names", "broadcast-flood", 16_000, limits=_LARGE
    ),
    Scene("logs 1 MB of control characters", "log-large-flood", 1_000_000),
    Scene("sends 1 MB", "send-large-flood", 1_000_000),
    Scene("reads 1 MB from the store", "get-flood", 1_000_000),
    Scene("lists 3,000 components", "list-flood", others=3000),
    Scene("lists 20,000 keys", "scan-flood", 20_000),
    Scene("publishes to 1,000", "publish-flood", others=1000),
    Scene("subscribes to 1,000 topics", "subscribe-flood", 1000),
    Scene("sends 60 MB", "send-large-flood", 60_000_000, size=1),
)


async def _ignore(_context: object, _envelope: Envelope) -> None:
    """Handle a message."""


async def _answer(_context: object, envelope: Envelope) -> bytes:
    return envelope.payload


@final
@attrs.define(eq=False)
class Seen:
    """What the well-behaved tasks saw, in seconds."""

    late: list[float] = attrs.field(factory=list)
    asks: list[float] = attrs.field(factory=list)

    async def beat(self, ends: float) -> None:
        """Sleep for a while, again and again, and note how late the end was."""
        while perf_counter() < ends:
            began = perf_counter()
            await trio.sleep(_BEAT)
            self.late.append(perf_counter() - began - _BEAT)

    async def ask_on(self, system: System, name: str, ends: float) -> None:
        """Ask, again and again, and note how long it took."""
        while perf_counter() < ends:
            began = perf_counter()
            await system.ask(name, PAYLOAD, timeout=math.inf)
            self.asks.append(perf_counter() - began)
            await trio.sleep(_BEAT)


async def play(scene: Scene, length: float) -> Seen:
    """Play one scene in a system of its own."""
    seen, crowd = Seen(), scene.crowd() if scene.size else []
    honest = (
        component("echo", guest_file("echo"), can=everything()),
        actor("python", _answer),
    )
    whole = blueprint(*honest, *scene.bystanders(), *crowd, restart_budget=None)
    async with open_system(whole) as system:
        for each in crowd:
            system.tell(each.id, str(scene.much).encode())
        await trio.sleep(_BEAT)
        async with trio.open_nursery() as nursery:
            ends = perf_counter() + length
            nursery.start_soon(seen.beat, ends)
            nursery.start_soon(seen.ask_on, system, "echo", ends)
            nursery.start_soon(seen.ask_on, system, "python", ends)
    return seen


def _add(report: Report, scene: Scene, length: float) -> None:
    seen = trio.run(play, scene, length)
    name = scene.name
    report.measured(f"{name}: latest beat", max(seen.late), seconds)
    report.measured(f"{name}: p50 of asks", percentile(seen.asks, 50), seconds)
    p99 = percentile(seen.asks, 99)
    report.measured(f"{name}: p99 of asks", p99, seconds, at_most=MOST_ASK)
    report.measured(f"{name}: asks answered", len(seen.asks), count)


def main() -> None:
    """Play every scene, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each scene")
    parser.add_argument("--only", default="", help="scenes with this in their name")
    options = parser.parse_args()
    report = Report(f"asks beside hostile guests, tick {seconds(TICK)}")
    for scene in SCENES:
        if options.only in scene.name:
            print(f"{scene.name} ...", flush=True)
            _add(report, scene, options.seconds)
    report.finish()


if __name__ == "__main__":
    main()
