"""Ten times the messages that can be handled, for a minute: how many answers are in time.

In each scene the capacity of an actor, or of a pool, is measured first, with one ask after
the other. Then it is asked ten times as often by askers that wait for a second. Goodput is
the number of answers in time; it must be at least 80 % of the capacity. No actor may be
restarted, and memory must not grow after the first quarter.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs
import trio
from measuring.guests import guest_file
from measuring.ratios import Report, count, kib

from airssys.contracts import ChildExited, ChildSpec, MessagingError
from airssys.dsl import actor, blueprint, component, pool
from airssys.system import System, open_system

if TYPE_CHECKING:
    from airssys.contracts import Envelope

_TIMES: Final = 10
_PATIENCE: Final = 1.0
_WARM_UP: Final = 3.0
_MOST_GROWTH: Final = 16 * 1024 * 1024
_STATUS: Final = Path("/proc/self/status")


async def _nap(_: object, envelope: Envelope) -> bytes:
    await trio.sleep(0.02)
    return envelope.payload


@final
@attrs.frozen
class Scene:
    """What is asked, and what."""

    name: str
    target: ChildSpec
    payload: bytes = b""
    at_once: int = 1
    """Asks on the way while the capacity is measured."""


SCENES: Final = (
    Scene("a guest that sleeps", component("t", guest_file("sleep")), b"20"),
    Scene("a guest that computes", component("t", guest_file("spin")), b"20"),
    Scene(
        "a guest with a small mailbox",
        component("t", guest_file("sleep"), mailbox=10),
        b"20",
    ),
    Scene(
        "a guest that is cut off",
        component("t", guest_file("sleep"), on_abandoned="cancel"),
        b"20",
    ),
    Scene("a Python actor", actor("t", _nap)),
    Scene("a pool of four", pool("t", actor("m", _nap), size=4), at_once=4),
)


@final
class Askers:
    """Ask, and count what is answered in time."""

    def __init__(self, system: System, scene: Scene) -> None:
        self._system, self._scene = system, scene
        self.answered = 0

    async def ask(self) -> None:
        """Ask once."""
        try:
            await self._system.ask("t", self._scene.payload, timeout=_PATIENCE)
        except MessagingError:
            return
        self.answered += 1

    async def capacity(self) -> float:
        """Ask one after the other; return how many a second are answered."""

        async def keep_asking() -> None:
            while True:
                await self.ask()

        await self.ask()
        before = self.answered
        with trio.move_on_after(_WARM_UP):
            async with trio.open_nursery() as nursery:
                for _ in range(self._scene.at_once):
                    nursery.start_soon(keep_asking)
        return (self.answered - before) / _WARM_UP

    async def flood(self, rate: float, seconds: float) -> list[int]:
        """Ask this many times a second; return the memory after each tenth of the time."""
        memory: list[int] = []
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            sent = 0
            while (passed := trio.current_time() - began) < seconds:
                for _ in range(int(passed * rate) - sent):
                    nursery.start_soon(self.ask)
                    sent += 1
                if passed > len(memory) * seconds / 10:
                    memory.append(_memory())
                await trio.sleep(0.005)
        return memory


def _memory() -> int:
    lines = _STATUS.read_text("ascii").splitlines()
    (line,) = (each for each in lines if each.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


async def _play(scene: Scene, seconds: float) -> tuple[float, float, int, int]:
    ends: list[ChildExited] = []
    async with (
        open_system(blueprint(scene.target)) as system,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(_note_ends, system, ends)
        askers = Askers(system, scene)
        capacity = await askers.capacity()
        before = askers.answered
        memory = await askers.flood(_TIMES * capacity, seconds)
        goodput = (askers.answered - before) / seconds
        await trio.sleep(_PATIENCE)
        nursery.cancel_scope.cancel()
    quarter = max(memory[: math.ceil(len(memory) / 4)])
    return capacity, goodput, len(ends), max(memory) - quarter


async def _note_ends(system: System, ends: list[ChildExited]) -> None:
    async for event in system.events():
        ends += (event,) if isinstance(event, ChildExited) else ()


def main() -> None:
    """Play every scene, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each scene")
    parser.add_argument("--only", default="", help="scenes with this in their name")
    options = parser.parse_args()
    report = Report("ten times what can be handled")
    for scene in SCENES:
        if options.only not in scene.name:
            continue
        print(f"{scene.name} ...", flush=True)
        found = trio.run(_play, scene, options.seconds)
        capacity, goodput, restarts, growth = found
        report.measured(f"{scene.name}: capacity a second", capacity, count)
        report.measured(f"{scene.name}: goodput a second", goodput, count)
        report.ratio(
            f"{scene.name}: goodput a second",
            f"{scene.name}: capacity a second",
            at_least=0.8,
        )
        report.counted(f"{scene.name}: ends", restarts, 0)
        report.measured(
            f"{scene.name}: memory that came later",
            max(growth, 0),
            kib,
            at_most=_MOST_GROWTH,
        )
    report.finish()


if __name__ == "__main__":
    main()
