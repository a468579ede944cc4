"""What grants and quotas cost: when a Python actor tells another, and when a component is asked.

Compared in one run, in bursts, each from its first message to the handling of its last:

* tell: a Python actor that nothing restricts tells another one;
* restricted tell: the same with grants, and with quotas so high that they are not reached;
* ask: a component is asked that has no quotas;
* counted ask: the same with the default quotas, and its part of a supervisor's.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
import trio.testing
from measuring.guests import PAYLOAD, guest_file
from measuring.ratios import Report, check_count, seconds
from measuring.sides import Side, least_times

from airssys.contracts import Quotas
from airssys.dsl import actor, blueprint, component, supervisor
from airssys.security import everything, send
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint, Envelope
    from airssys.nursery import ActorContext
    from airssys.system import System

_HIGH: Final = 2**40


async def _handle(_: object, __: Envelope) -> None:
    """Do nothing: what is measured is the way there."""


class _Teller:
    """Tells the counter as often as the message says."""

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        tell = context.tell
        for _ in range(int(envelope.payload)):
            tell("counter", PAYLOAD)


def _actors(burst: int) -> Blueprint:
    quotas = {"messages_per_second": _HIGH, "fan_out": _HIGH}
    echo = guest_file("echo")
    return blueprint(
        actor("counter", _handle, mailbox=2 * burst),
        actor("free", _Teller),
        actor("bound", _Teller, can=[send("counter")], quotas=quotas),
        component("bare", echo, can=everything(), quotas=Quotas.unlimited()),
        component("counted", echo, can=everything()),
        supervisor(
            "below",
            component("summed", echo, can=everything()),
            quotas={"cpu_ms_per_second": 10_000, "messages_per_second": _HIGH},
        ),
    )


def _told(system: System, name: str, burst: int) -> Side:
    async def time() -> float:
        before = system.mailbox("counter").handled
        began = perf_counter()
        system.tell(name, b"%d" % burst)
        await trio.testing.wait_all_tasks_blocked()
        took = perf_counter() - began
        check_count("messages", system.mailbox("counter").handled - before, burst)
        return took

    return time


def _asked(system: System, name: str, burst: int) -> Side:
    async def time() -> float:
        began = perf_counter()
        for _ in range(burst):
            await system.ask(name, PAYLOAD)
        return perf_counter() - began

    return time


async def _measure(burst: int, rounds: int) -> Report:
    async with open_system(_actors(burst)) as system:
        sides = {
            "tell": _told(system, "free", burst),
            "restricted tell": _told(system, "bound", burst),
            "ask": _asked(system, "bare", burst),
            "counted ask": _asked(system, "counted", burst),
            "summed ask": _asked(system, "summed", burst),
        }
        least = await least_times(sides, rounds)
    report = Report(f"grants and quotas, in bursts of {burst}")
    for name, took in least.items():
        report.measured(name, took / burst, seconds)
    return report


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=500, help="messages in a burst")
    parser.add_argument("--rounds", type=int, default=60, help="bursts on each side")
    options = parser.parse_args()
    report = trio.run(_measure, options.burst, options.rounds)
    report.ratio("restricted tell", "tell", at_most=1.25)
    report.ratio("counted ask", "ask", at_most=1.1)
    report.ratio("summed ask", "ask", at_most=1.1)
    report.finish()


if __name__ == "__main__":
    main()
