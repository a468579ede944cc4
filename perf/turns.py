"""How late other tasks are while guests loop forever, flood the host, or move megabytes.

In each scene a system runs an echo guest and a crowd that never stops. Meanwhile a Trio
task beats every 10 ms and another asks the echo. Both are compared with the same two tasks
in a system without a crowd, in the same run, and with what the design promises: a beat is
late by at most two ticks and 5 ms, and the echo answers within ten ticks. A scene has two
phases: the moment when the crowd gets its messages and no guest has looped yet, and later.

At the end, a looping call alone must end within its `execution_time` and two ticks.
"""

from __future__ import annotations

import argparse
import math
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Final, final

import attrs
import trio
from measuring.guests import PAYLOAD, guest_file
from measuring.ratios import Report, check_count, count, percentile, seconds

from airssys.contracts import (
    BRUTAL_KILL,
    NO_BACKOFF,
    CalleeFailed,
    ComponentSpec,
    DeadLetter,
    EngineSettings,
    Limits,
    Logged,
)
from airssys.dsl import blueprint, component
from airssys.system import EventStream, System, open_system

if TYPE_CHECKING:
    from collections.abc import Callable

TICK: Final = EngineSettings().tick
MOST_LATE: Final = 2 * TICK + 0.005
MOST_ECHO: Final = 10 * TICK
_BEAT: Final = 0.01
_MEGABYTE: Final = bytes(1_000_000)
_MOVERS: Final = 4
_EVENTS_OF_THE_END: Final = 1_000_000
"""While a crowd is killed one by one, the others go on logging."""


@final
@attrs.frozen
class Scene:
    """A crowd: a number of guests of one kind, each with one message it never finishes."""

    name: str
    guest: str = "loop"
    size: int = 0
    floods: bool = False
    """Its guests call the host all the time."""
    movers: int = 0
    """Guests that echo a megabyte again and again."""

    def crowd(self) -> list[ComponentSpec]:
        """Declare the guests, which nothing but killing can stop."""
        patient = Limits(execution_time=3600)
        wanted = {f"{self.guest}-{n}": self.guest for n in range(self.size)}
        wanted |= {f"mover-{n}": "echo" for n in range(self.movers)}
        return [
            component(name, guest_file(code), limits=patient, shutdown=BRUTAL_KILL)
            for name, code in wanted.items()
        ]

    @property
    def settling(self) -> float:
        """Seconds until all guests of the crowd have had some slices."""
        return 3 * self.size * TICK


SCENES: Final = (
    Scene("no others"),
    Scene("1 loops", size=1),
    Scene("100 loop", size=100),
    Scene("1,000 loop", size=1000),
    Scene("1 floods", guest="flood", size=1, floods=True),
    Scene("100 flood", guest="flood", size=100, floods=True),
    Scene("1 floods the log", guest="log-flood", size=1, floods=True),
    Scene("100 flood the log", guest="log-flood", size=100, floods=True),
    Scene("4 echo 1 MB", movers=_MOVERS),
)


@final
@attrs.define(eq=False)
class Phase:
    """What the two well-behaved tasks saw, in seconds."""

    late: list[float] = attrs.field(factory=list)
    echoes: list[float] = attrs.field(factory=list)


@final
@attrs.define(eq=False)
class HostCalls:
    """A wall clock that counts how often it is read: once a message, or host call."""

    read: int = 0

    def __call__(self) -> int:
        """Tell the time."""
        self.read += 1
        return time_ns()


@final
@attrs.define(eq=False)
class Movers:
    """Megabytes in flight, and how many came back."""

    moved: int = 0

    async def move(self, system: System, name: str) -> None:
        """Have one guest echo a megabyte, for ever."""
        while True:
            answer = await system.ask(name, _MEGABYTE, timeout=math.inf)
            self.moved += answer == _MEGABYTE


async def _beat(phase: Phase, ends: float) -> None:
    while perf_counter() < ends:
        began = perf_counter()
        await trio.sleep(_BEAT)
        phase.late.append(perf_counter() - began - _BEAT)


async def _ask_on(phase: Phase, system: System, ends: float) -> None:
    while perf_counter() < ends:
        began = perf_counter()
        if await system.ask("echo", PAYLOAD, timeout=math.inf) == PAYLOAD:
            phase.echoes.append(perf_counter() - began)
        await trio.sleep(2 * _BEAT)


async def _watch(system: System, length: float) -> Phase:
    phase, ends = Phase(), perf_counter() + length
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_beat, phase, ends)
        nursery.start_soon(_ask_on, phase, system, ends)
    return phase


@final
@attrs.define(eq=False)
class Play:
    """One scene in a system of its own."""

    scene: Scene
    length: float
    host_calls: HostCalls = attrs.field(factory=HostCalls)
    movers: Movers = attrs.field(factory=Movers)
    logged: int = 0

    async def run(self) -> tuple[Phase, Phase]:
        """Play it, and see afterwards that the crowd was there to the end."""
        scene = self.scene
        crowd = scene.crowd()
        whole = blueprint(component("echo", guest_file("echo")), *crowd)
        async with open_system(whole, wall_clock=self.host_calls) as system:
            with system.events() as lines:
                async with trio.open_nursery() as nursery:
                    phases = await self._watch_twice(system, crowd, nursery)
                    nursery.cancel_scope.cancel()
                self.logged = lines.dropped + _count_left(lines)
            late_events = system.events(_EVENTS_OF_THE_END)
        await self._check_crowd(late_events)
        return phases

    async def _watch_twice(
        self, system: System, crowd: list[ComponentSpec], nursery: trio.Nursery
    ) -> tuple[Phase, Phase]:
        for spec in crowd:
            if self.scene.movers:
                nursery.start_soon(self.movers.move, system, str(spec.id))
            else:
                system.tell(spec.id, b"")
        beginning = await _watch(system, self.length)
        await trio.sleep(max(0.0, self.scene.settling - self.length))
        return beginning, await _watch(system, self.length)

    async def _check_crowd(self, events: EventStream) -> None:
        """Each of the crowd must have held its message until it was killed."""
        held = 0
        async for event in events:
            held += isinstance(event, DeadLetter)
        check_count("messages held to the end", held, len(self.scene.crowd()))


def _count_left(events: EventStream) -> int:
    left = 0
    try:
        while True:
            left += isinstance(events.next_nowait(), Logged)
    except trio.WouldBlock:
        return left


async def _overrun(limit: float, rounds: int) -> list[float]:
    """Let a looping guest run into its limit; by how much each call overran it."""
    limits = Limits(execution_time=limit)
    spec = component("loop", guest_file("loop"), limits=limits, backoff=NO_BACKOFF)
    overruns = []
    async with open_system(blueprint(spec, restarts=rounds)) as system:
        for _ in range(rounds):
            began = perf_counter()
            try:
                await system.ask("loop", b"", timeout=math.inf)
            except CalleeFailed:
                overruns.append(perf_counter() - began - limit)
    check_count("calls that were ended", len(overruns), rounds)
    return overruns


def _add_phase(report: Report, name: str, phase: Phase) -> None:
    late, echoes = f"{name}: latest beat", f"{name}: slowest echo"
    report.measured(f"{name}: p99 of beats", percentile(phase.late, 99), seconds)
    report.measured(late, max(phase.late), seconds, at_most=MOST_LATE)
    report.measured(f"{name}: median echo", percentile(phase.echoes, 50), seconds)
    report.measured(echoes, max(phase.echoes), seconds, at_most=MOST_ECHO)
    alone = SCENES[0].name
    if name != alone:
        report.ratio(late, f"{alone}: latest beat")
        report.ratio(echoes, f"{alone}: slowest echo")


def _add_scene(report: Report, scene: Scene, length: float) -> None:
    play = Play(scene, length)
    beginning, later = trio.run(play.run)
    if scene.size or scene.movers:
        _add_phase(report, f"{scene.name}, at once", beginning)
    _add_phase(report, scene.name, later)
    asked = len(beginning.echoes) + len(later.echoes)
    report.measured(f"{scene.name}: echoes answered", asked, count)
    made: dict[str, Callable[[], int]] = {
        "flood": lambda: play.host_calls.read - asked - scene.size,
        "log-flood": lambda: play.logged,
    }
    if scene.floods:
        calls = made[scene.guest]()
        report.measured(f"{scene.name}: host calls", calls, count)
        report.showed(f"{scene.name}: all flooded", held=calls > 100 * scene.size)
    if scene.movers:
        moved = play.movers.moved
        report.measured(f"{scene.name}: megabytes echoed", moved, count)
        report.showed(f"{scene.name}: megabytes moved", held=moved > 0)


def _add_limit(report: Report, limit: float, rounds: int) -> None:
    worst = max(trio.run(_overrun, limit, rounds))
    name = f"call limited to {limit:g} s"
    report.measured(f"{name}: ended later by", worst, seconds, at_most=2 * TICK)


def main() -> None:
    """Play every scene, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each phase")
    parser.add_argument("--rounds", type=int, default=20, help="of limited calls")
    parser.add_argument("--most", type=int, default=1000, help="guests of a crowd")
    options = parser.parse_args()
    report = Report(f"beats of {seconds(_BEAT)} and echoes, tick {seconds(TICK)}")
    for scene in SCENES:
        if scene.size <= options.most:
            print(f"{scene.name} ...", flush=True)
            _add_scene(report, scene, options.seconds)
    for limit in (0.05, 0.2):
        _add_limit(report, limit, options.rounds)
    report.finish()


if __name__ == "__main__":
    main()
