"""A 64-byte component-message and its echo: stock wasmtime-py against airssys.

Compared in one run, each as the median of pyperf's values:

* stock: `wasmtime.component.Func` of wasmtime-py, default settings, on this thread;
* raw empty call: `health` through the C API by plain ctypes, on our engine;
* health: the same empty call, by `Instance.health()`;
* call alone: the echo, by `Instance.handle_message()`, whole record, every field set;
* ask: the echo, by `System.ask()`: broker, mailbox, actor, call, answer;
* asks together: the same, by 16 tasks that ask one actor; the time for each ask.
"""

from __future__ import annotations

from time import perf_counter

import pyperf
import trio
import wasmtime
from measuring.engine_room import RawHealth
from measuring.guests import MESSAGE, PAYLOAD, guest_file, open_shop
from measuring.ratios import bench, check_count, report_medians
from measuring.stock import StockGuest, stock_message

from airssys.contracts import HealthStatus
from airssys.dsl import blueprint, component
from airssys.system import open_system

_WARM = 100
_ASKERS = 16


def time_stock(loops: int) -> float:
    """Time the echo through wasmtime-py's own component API."""
    guest = StockGuest("echo", wasmtime.Config())
    sent, answered = stock_message(MESSAGE), 0
    began = perf_counter()
    for _ in range(loops):
        answered += guest.handle_message(sent) == PAYLOAD
    took = perf_counter() - began
    check_count("answers", answered, loops)
    return took


async def _time_raw(loops: int) -> float:
    async with open_shop("echo") as shop:
        guest = await shop.guest()
        await guest.health()
        health = RawHealth(guest)
        health.call_many(_WARM)
        took, answered = health.call_many(loops)
        check_count("answers", answered, loops)
        return took


async def _time_health(loops: int) -> float:
    async with open_shop("echo") as shop:
        guest, answered = await shop.guest(), 0
        for _ in range(_WARM):
            await guest.health()
        began = perf_counter()
        for _ in range(loops):
            answered += await guest.health() is HealthStatus.HEALTHY
        took = perf_counter() - began
        check_count("answers", answered, loops)
        return took


async def _time_call(loops: int) -> float:
    async with open_shop("echo") as shop:
        guest, answered = await shop.guest(), 0
        for _ in range(_WARM):
            await guest.handle_message(MESSAGE)
        began = perf_counter()
        for _ in range(loops):
            answered += await guest.handle_message(MESSAGE) == PAYLOAD
        took = perf_counter() - began
        check_count("answers", answered, loops)
        return took


async def _time_ask(loops: int) -> float:
    one = blueprint(component("echo", guest_file("echo")))
    kind = MESSAGE.content_type
    async with open_system(one) as system:
        answered = 0
        for _ in range(_WARM):
            await system.ask("echo", PAYLOAD, content_type=kind)
        began = perf_counter()
        for _ in range(loops):
            answered += await system.ask("echo", PAYLOAD, content_type=kind) == PAYLOAD
        took = perf_counter() - began
        check_count("answers", answered, loops)
        return took


async def _time_asks_together(loops: int) -> float:
    one = blueprint(component("echo", guest_file("echo")))
    kind = MESSAGE.content_type
    async with open_system(one) as system:
        answered = 0

        async def ask(times: int) -> None:
            nonlocal answered
            for _ in range(times):
                answer = await system.ask("echo", PAYLOAD, content_type=kind)
                answered += answer == PAYLOAD

        await ask(_WARM)
        began = perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(_ASKERS):
                nursery.start_soon(ask, (loops + number) // _ASKERS)
        took = perf_counter() - began
        check_count("answers", answered, loops + _WARM)
        return took


def main() -> None:
    """Measure, compare, judge."""
    medians = bench(
        pyperf.Runner(),
        {
            "stock": time_stock,
            "raw empty call": lambda loops: trio.run(_time_raw, loops),
            "health": lambda loops: trio.run(_time_health, loops),
            "call alone": lambda loops: trio.run(_time_call, loops),
            "ask": lambda loops: trio.run(_time_ask, loops),
            "asks together": lambda loops: trio.run(_time_asks_together, loops),
        },
    )
    if medians is None:
        return
    report = report_medians("component-message echo, 64 bytes", medians)
    report.ratio("stock", "call alone", at_least=20)
    report.ratio("call alone", "raw empty call", at_most=5)
    report.ratio("health", "raw empty call")
    report.ratio("ask", "call alone")
    report.ratio("stock", "ask", at_least=10)
    report.ratio("stock", "asks together", at_least=10)
    report.finish()


if __name__ == "__main__":
    main()
