"""The own lane in numbers: against wasmtime's component API, and against peers.

Compared in one run, for an echo of 64 bytes, 64 KiB and 1 MiB: `Instance.handle_message`
on either lane, `System.ask` of a component on the own lane and of a Python actor, and a
core module called by the C API. Beside that an empty call (`health`) and calls of the
host. In processes of their own, because large echoes leave marks on the allocator: making
an instance on either lane and starting an actor; and the memory and the memory maps of
instances that have answered. All times are processor time of the process, in the fastest
of many rounds: what the machine does besides makes them slower only.

Two more lines need something that is not part of the project:

* `--extism PYTHON` compares with Extism: the interpreter of an environment that has it
  (`python -m venv DIR`, `DIR/bin/pip install extism`, then `DIR/bin/python`).
* `--python-guest` compares instances of a Python guest, which is built and compiled first,
  for about a minute, unless `--cache` names a directory that has it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
from measuring.children import run_child, tell_parent
from measuring.guests import Shop, guest_file, lend, message, open_shop
from measuring.instances import bytes_and_maps, python_guest, time_making
from measuring.peers import core_echo, extism_echoes
from measuring.ratios import Report, check_count, kib, seconds

from airssys.contracts import EngineSettings, Envelope, Guest, Limits
from airssys.dsl import actor, blueprint, component
from airssys.system import System, open_system

if TYPE_CHECKING:
    from airssys.nursery import ActorContext

SIZES: Final = {"64 B": 64, "64 KiB": 65_536, "1 MiB": 1 << 20}
LANES: Final = ("own", "wasmtime")
_HOST_CALLS: Final = str(Path(__file__).with_name("host_calls.py"))
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


async def time_messages(rounds: int) -> dict[str, float]:
    """Time messages on both lanes, and a core module."""
    acts: dict[str, Act] = {}
    async with AsyncExitStack() as stack:
        for lane in LANES:
            settings = EngineSettings(lane=lane)
            shop = await stack.enter_async_context(open_shop("echo", settings))
            guest = await shop.guest()
            for name, size in SIZES.items():
                acts[f"echo of {name}, {lane}"] = echo_of(guest, size)
            acts[f"empty call, {lane}"] = guest.health
            if lane == "own":
                await _add_asks(acts, stack, shop)
        for name, size in SIZES.items():
            acts[f"core module, {name}"] = core_echo(size)
        return await fastest(acts, rounds)


async def _add_asks(acts: dict[str, Act], stack: AsyncExitStack, shop: Shop) -> None:
    actors = blueprint(
        actor("python", Echo), component("guest", guest_file("echo"), limits=_ROOMY)
    )
    opening = open_system(actors, open_loader=lambda _: lend(shop.loader))
    system = await stack.enter_async_context(opening)
    acts["ask of 64 B, Python actor"] = asking(system, "python", 64)
    for name, size in SIZES.items():
        acts[f"ask of {name}, own"] = asking(system, "guest", size)


def report_messages(report: Report, rounds: int) -> None:
    """Measure messages, and judge them."""
    for name, value in trio.run(time_messages, rounds).items():
        report.measured(name, value, seconds)
    report.ratio("echo of 64 B, own", "echo of 64 B, wasmtime", at_most=1.0)
    report.ratio("echo of 64 KiB, own", "echo of 64 KiB, wasmtime", at_most=0.1)
    report.ratio("echo of 1 MiB, own", "echo of 1 MiB, wasmtime", at_most=0.1)
    report.ratio("empty call, own", "empty call, wasmtime", at_most=1.5)
    report.ratio("ask of 64 B, own", "ask of 64 B, Python actor", at_most=1.2)
    report.ratio("ask of 64 KiB, own", "ask of 64 B, own", at_most=2)
    report.ratio("ask of 1 MiB, own", "ask of 64 B, own", at_most=5)
    report.ratio("echo of 64 KiB, own", "core module, 64 KiB", at_most=2)


def report_host_calls(report: Report, rounds: int) -> None:
    """Compare calls of a host function, which `perf/host_calls.py` shows in full."""
    for name, value in run_child(_HOST_CALLS, "--tell", "--rounds", rounds).items():
        report.measured(f"host call, {name}", value, seconds)
    for what in ("number", "text"):
        own = f"host call, {what}, instant, own"
        report.ratio(own, f"host call, {what}, instant, wasmtime", at_most=0.25)


def report_extism(report: Report, python: str, rounds: int) -> None:
    """Compare with Extism."""
    found = extism_echoes(python, list(SIZES.values()), rounds)
    for name, size in SIZES.items():
        report.measured(f"Extism, {name}", found[size], seconds)
        report.ratio(f"ask of {name}, own", f"Extism, {name}", at_most=1)
    report.ratio("echo of 64 KiB, own", "Extism, 64 KiB", at_most=0.25)


def report_instances(report: Report, rounds: int) -> None:
    """Compare making instances, and starting actors."""
    for name, value in run_child(__file__, "--making", rounds).items():
        report.measured(name, value, seconds)
    report.ratio("instance, own", "instance, wasmtime", at_most=0.7)
    report.ratio("first instance, own", "first instance, wasmtime")
    report.ratio("start of an actor, own", "bare instance, own", at_most=2)
    report.ratio("start of an actor, wasmtime", "bare instance, wasmtime")


def report_memory(report: Report) -> None:
    """Compare what an instance takes."""
    for lane in LANES:
        found = run_child(__file__, "--memory", lane)
        report.measured(f"memory, {lane}", found["bytes"], kib)
        report.measured(f"maps, {lane}", round(found["maps"], 2), "{:.2f}".format)
    report.ratio("memory, own", "memory, wasmtime", at_most=1.3)
    report.ratio("maps, own", "maps, wasmtime", at_most=1)


def report_python_guest(report: Report, cache: Path | None, rounds: int) -> None:
    """Compare instances of a Python guest."""
    with tempfile.TemporaryDirectory() as directory:
        arguments = "--python-guest", "--cache", cache or directory
        found = run_child(__file__, "--making", rounds, *arguments)
    for name, value in found.items():
        report.measured(f"Python guest, {name}", value, seconds)
    own, wasmtime = (f"Python guest, instance, {lane}" for lane in LANES)
    report.ratio(own, wasmtime, at_most=2)


async def _make(chosen: argparse.Namespace) -> None:
    """Measure in a process of its own, and tell the other."""
    guest = python_guest(chosen.cache) if chosen.python_guest else None
    found = await time_making(guest, partial(fastest, rounds=chosen.making), LANES)
    tell_parent(**found)


async def _fill(lane: str) -> None:
    size, maps = await bytes_and_maps(EngineSettings(lane=lane))
    tell_parent(bytes=size, maps=maps)


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--extism", metavar="PYTHON", help="compare with Extism")
    parser.add_argument("--python-guest", action="store_true", help="compare one, too")
    parser.add_argument("--cache", type=Path, help="of the Python guest")
    parser.add_argument("--making", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.making:
        trio.run(_make, chosen)
        return
    if chosen.memory:
        trio.run(_fill, chosen.memory)
        return
    report = Report("Own lane against wasmtime's component API, and peers")
    report_messages(report, chosen.rounds)
    report_host_calls(report, chosen.rounds)
    if chosen.extism:
        report_extism(report, chosen.extism, chosen.rounds)
    report_instances(report, chosen.rounds)
    report_memory(report)
    if chosen.python_guest:
        report_python_guest(report, chosen.cache, chosen.rounds)
    report.finish()


if __name__ == "__main__":
    main()
