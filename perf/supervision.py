"""How supervision grows with the number of children, and answers while they crash.

Compared in one run, each but the largest as the least of some rounds:

* plan: what to stop and to start when one of 1,000 siblings under one_for_all has crashed,
  against ten times the same for 100;
* start and stop: a system of 100,000 Python actors, opened and left, against a hundred
  times one of 1,000;
* terminate: 10,000 children of a dynamic supervisor, each by a request, and as many by
  stopping it; against ten times 1,000 (OTP's cases of simple_one_for_one);
* crash loop: a child crashes each time it is ready and is restarted without a pause. The
  slowest answer to `which_children`, from a task that waits its turn to ask, and the
  slowest to a request that the supervisor itself serves.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import attrs
import trio
from measuring.ratios import Report, check_count, count, seconds

from airssys.contracts import (
    NO_BACKOFF,
    ActorSpec,
    Blueprint,
    ComponentId,
    DynamicSupervisorSpec,
    EngineSettings,
    Envelope,
    Intensity,
    Refused,
    RestartType,
    Started,
    Strategy,
    TaskSpec,
)
from airssys.dsl import actor, blueprint
from airssys.nursery.restarts._intensity import RestartWindow  # noqa: PLC2701 (see below)
from airssys.nursery.restarts._plan import (  # noqa: PLC2701  # the decision alone
    plan_attempt,
)
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.nursery import Administration

_UNLIMITED: Final = 1_000_000_000
_SHORT: Final = 1e-3
_TICK: Final = EngineSettings().tick
_FEW: Final = 1000
_ROUNDS: Final = 3
_QUESTIONS: Final = 1000


async def _idle(_: object, __: Envelope) -> None:
    """Handle a message, if one should come."""


@final
@attrs.frozen
class Place:
    """A sibling, as far as a plan reads it."""

    spec: ActorSpec
    is_occupied: bool = True


def _time_plans(siblings: int, rounds: int = 200) -> float:
    spec = ActorSpec(id=ComponentId("local", "sibling"), behaviour=_idle)
    places = [Place(spec) for _ in range(siblings)]
    window = RestartWindow(Intensity()).stamped(0.0)
    least = float("inf")
    for _ in range(rounds):
        began = perf_counter()
        plan = plan_attempt(Strategy.ONE_FOR_ALL, places, places[0], window)
        least = min(least, perf_counter() - began)
        check_count("siblings that start", len(plan.start), siblings)
    return least


async def _time_system(size: int) -> tuple[float, float]:
    children = (actor(f"actor-{n}", _idle) for n in range(size))
    whole = blueprint(*children, stop_timeout=3600)
    began = perf_counter()
    async with open_system(whole) as system:
        started = perf_counter() - began
        running = system.supervisor(whole.root.name).count_children().active
        check_count("actors that run", running, size)
        began = perf_counter()
    return started, perf_counter() - began


def _dynamic() -> Blueprint:
    worker = ComponentId("local", "worker")
    template = ActorSpec(id=worker, behaviour=_idle, restart=RestartType.TEMPORARY)
    return blueprint(DynamicSupervisorSpec(name="pool", template=template))


async def _start_children(pool: Administration, size: int) -> list[str]:
    names = []

    async def start() -> None:
        answer = await pool.start_from_template()
        if isinstance(answer, Started):
            names.append(answer.child)

    async with trio.open_nursery() as nursery:
        for _ in range(size):
            nursery.start_soon(start)
    check_count("children that started", len(names), size)
    return names


async def _time_requests(size: int) -> float:
    async with open_system(_dynamic()) as system:
        pool = system.supervisor("root/pool")
        names = await _start_children(pool, size)
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(pool.terminate_child, name)
        took = perf_counter() - began
        check_count("children that are left", len(pool.which_children()), 0)
        return took


async def _time_stop(size: int) -> float:
    async with open_system(_dynamic()) as system:
        await _start_children(system.supervisor("root/pool"), size)
        root = system.supervisor("root")
        began = perf_counter()
        await root.terminate_child("pool")
        took = perf_counter() - began
        check_count("supervisors that run", root.count_children().active, 0)
        return took


async def _crash() -> None:
    await trio.lowlevel.checkpoint()
    raise RuntimeError("on request")


async def _crash_loop() -> tuple[float, float, int]:
    """Return the slowest answers, in seconds, and how many restarts there were."""
    crasher = TaskSpec(name="crasher", function=_crash, backoff=NO_BACKOFF)
    looping = blueprint(
        crasher, restarts=_UNLIMITED, period=_SHORT, restart_budget=None
    )
    async with open_system(looping) as system:
        root = system.supervisor("root")
        read = asked = 0.0
        for _ in range(_QUESTIONS):
            began = perf_counter()
            await trio.lowlevel.checkpoint()
            known = len(root.which_children())
            read = max(read, perf_counter() - began)
            check_count("children that are known", known, 1)
            began = perf_counter()
            answer = await root.delete_child("crasher")
            asked = max(asked, perf_counter() - began)
            check_count("refusals", isinstance(answer, Refused), 1)
        return read, asked, system.tree().children[0].restarts


@final
@attrs.frozen
class Growth:
    """The time for some, and for many."""

    name: str
    few: float
    times_more: int
    many: float
    at_most: float
    """Times what a straight line through nothing and the few gives."""

    def add_to(self, report: Report) -> None:
        """Add it to a report, judged."""
        line = f"{self.name}, {self.times_more} x the fewer"
        report.measured(line, self.few * self.times_more, seconds)
        report.measured(f"{self.name}, the more", self.many, seconds)
        report.ratio(f"{self.name}, the more", line, at_most=self.at_most)


def _measure_growth(most: int) -> list[Growth]:
    plans = Growth("plan", _time_plans(100), 10, _time_plans(1000), 1.5)
    system = [sum(trio.run(_time_system, _FEW)) for _ in range(_ROUNDS)]
    opened = sum(trio.run(_time_system, most))
    found = [plans, Growth("start and stop", min(system), most // _FEW, opened, 10)]
    for name, measure in (("terminate", _time_requests), ("stop", _time_stop)):
        few = min(trio.run(measure, _FEW) for _ in range(_ROUNDS))
        many = min(trio.run(measure, 10 * _FEW) for _ in range(_ROUNDS))
        found.append(Growth(f"{name} dynamic children", few, 10, many, 5))
    return found


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--most", type=int, default=100_000, help="actors started and stopped"
    )
    most = parser.parse_args().most
    report = Report(f"supervision of up to {most:,} children")
    for growth in _measure_growth(most):
        growth.add_to(report)
    read, asked, restarts = trio.run(_crash_loop)
    report.measured("restarts while it was asked", restarts, count)
    report.measured("slowest which_children", read, seconds, at_most=2 * _TICK)
    report.measured("slowest request", asked, seconds)
    report.finish()


if __name__ == "__main__":
    main()
