"""Restart of a Python actor, against a nursery and `nursery.start` by hand.

Compared in one run, one at a time and in turn:

* by hand: from opening a nursery until `nursery.start` returns;
* restart: from the handler's `raise` until the next incarnation runs the actor's code
  again, in its hook `started`. In between lie the dead letter, the crash report and its
  line of the log, the decision, a fresh task and a fresh instance.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import trio
import trio.testing
from measuring.ratios import Report, check_count, count, seconds
from measuring.sides import least_times

from airssys.contracts import NO_BACKOFF, Envelope
from airssys.dsl import actor, blueprint
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.system import System

_UNLIMITED: Final = 1_000_000_000
_SHORT: Final = 1e-3
"""The period of the restart intensity, so that its record stays small."""


async def _by_hand() -> float:
    began = perf_counter()
    async with trio.open_nursery() as nursery:
        await nursery.start(_child)
        took = perf_counter() - began
        nursery.cancel_scope.cancel()
    return took


async def _child(*, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    await trio.sleep_forever()


@final
class Crasher:
    """An actor that crashes by each message; `record` is of all its incarnations."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def started(self, _: object) -> None:
        """Note that it runs again."""
        self._record.restarted.set()
        self._record.started_at = perf_counter()
        self._record.starts += 1

    async def handle(self, _: object, __: Envelope) -> None:
        """Crash.

        Raises:
            RuntimeError: always.
        """
        self._record.crashed_at = perf_counter()
        raise RuntimeError("on request")


@final
class Record:
    """When it crashed, when it ran again, how often."""

    def __init__(self) -> None:
        self.crashed_at = self.started_at = 0.0
        self.starts = 0
        self.restarted = trio.Event()

    async def crash(self, system: System) -> float:
        """Crash the actor once; return the seconds until it ran again."""
        self.restarted = trio.Event()
        system.tell("crasher", b"")
        await self.restarted.wait()
        await trio.testing.wait_all_tasks_blocked()
        return self.started_at - self.crashed_at


async def _measure(rounds: int) -> None:
    record = Record()
    crasher = actor("crasher", Crasher, record, backoff=NO_BACKOFF)
    one = blueprint(crasher, restarts=_UNLIMITED, period=_SHORT, restart_budget=None)
    async with open_system(one) as system:
        sides = {"by hand": _by_hand, "restart": lambda: record.crash(system)}
        least = await least_times(sides, rounds)
        check_count("starts", record.starts, rounds + 1)
        check_count("restarts", system.tree().children[0].restarts, rounds)
    report = Report("a Python actor, from its crash to running again")
    report.measured("restarts that were counted", rounds, count)
    for name, took in least.items():
        report.measured(name, took, seconds)
    report.ratio("restart", "by hand", at_most=3)
    report.finish()


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000, help="restarts")
    trio.run(_measure, parser.parse_args().rounds)


if __name__ == "__main__":
    main()
