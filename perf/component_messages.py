"""One component sends to another, or asks it, against one bare call of an echo.

Compared in one run, with 64 bytes of payload, each over bursts of messages and in turn:

* echo call: `Instance.handle_message()` of an echo, nothing around it;
* send: in one call a component calls `send` many times, and another one, an echo, handles
  each message: from the request to do so until the last message is handled;
* ask: in one call a component calls `ask` many times, which suspends it each time until
  the other has answered: from the request to do so until the end of the call;
* tell, then send; tell, then ask: a burst of messages from outside, at each of which the
  component sends or asks once: two calls of guests for each message, and two mailboxes.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
import trio.testing
from measuring.guests import MESSAGE, PAYLOAD, guest_file, lend, open_shop
from measuring.ratios import Report, check_count, seconds
from measuring.sides import Side, least_times

from airssys.contracts import Quotas
from airssys.dsl import ComponentOptions, blueprint, component
from airssys.security import everything
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint, Guest
    from airssys.system import System

_TARGET: Final = "local/echo/0"
_FREE: Final[ComponentOptions] = {"can": everything(), "quotas": Quotas.unlimited()}


def _echo_call(guest: Guest, burst: int) -> Side:
    async def time() -> float:
        answered = 0
        began = perf_counter()
        for _ in range(burst):
            answered += await guest.handle_message(MESSAGE) == PAYLOAD
        took = perf_counter() - began
        check_count("answers", answered, burst)
        return took

    return time


def _relayed(system: System, name: str, times: int, each: int) -> Side:
    """Let a component send or ask `each` times, `times` times; wait until all is handled."""

    async def time() -> float:
        echo, one = system.mailbox("echo").handled, system.mailbox(name).handled
        began = perf_counter()
        for _ in range(times):
            system.tell(name, PAYLOAD)
        await trio.testing.wait_all_tasks_blocked()
        took = perf_counter() - began
        handled = system.mailbox("echo").handled - echo
        check_count("messages that the echo has handled", handled, times * each)
        check_count("calls", system.mailbox(name).handled - one, times)
        return took

    return time


def _actors(burst: int) -> Blueprint:
    return blueprint(
        component("echo", guest_file("echo"), **_FREE),
        component("sender", guest_file("sender"), data=_TARGET, **_FREE),
        component("asker", guest_file("asker"), data=_TARGET, **_FREE),
        component(
            "sends",
            guest_file("repeat-sender"),
            data=f"{_TARGET}/{burst}",
            **_FREE,
        ),
        component(
            "asks",
            guest_file("repeat-asker"),
            data=f"{_TARGET}/{burst}",
            **_FREE,
        ),
    )


async def _measure(burst: int, rounds: int) -> Report:
    async with open_shop("echo") as shop:
        opening = open_system(_actors(burst), open_loader=lambda _: lend(shop.loader))
        async with opening as system:
            sides = {
                "echo call": _echo_call(await shop.guest(), burst),
                "send": _relayed(system, "sends", 1, burst),
                "ask": _relayed(system, "asks", 1, burst),
                "tell, then send": _relayed(system, "sender", burst, 1),
                "tell, then ask": _relayed(system, "asker", burst, 1),
            }
            least = await least_times(sides, rounds)
    report = Report(f"component to component, 64 bytes, in bursts of {burst}")
    for name, took in least.items():
        report.measured(name, took / burst, seconds)
    return report


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--burst", type=int, default=64, help="messages in a burst")
    parser.add_argument("--rounds", type=int, default=200, help="bursts on each side")
    options = parser.parse_args()
    report = trio.run(_measure, options.burst, options.rounds)
    report.ratio("send", "echo call", at_most=2.5)
    report.ratio("ask", "echo call", at_most=4)
    report.ratio("tell, then send", "echo call")
    report.ratio("tell, then ask", "echo call")
    report.finish()


if __name__ == "__main__":
    main()
