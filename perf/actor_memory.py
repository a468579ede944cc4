"""Memory of idle Python actors, against bare tasks parked on memory channels.

Each kind is measured in its own process: the bytes that belong to no file, before the
actors or tasks were made and when all of them wait, divided by their number. The blueprint
exists before; the mailbox, the name, the place in the tree and everything that supervises
count towards the actor. A bare task waits in `async for` over its own channel, which is as
large as a mailbox.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import Final

import trio
import trio.testing
from measuring.children import run_child, tell_parent
from measuring.ratios import Report, check_count, count, kib

from airssys.contracts import DEFAULT_MAILBOX, Envelope
from airssys.dsl import actor, blueprint
from airssys.system import open_system

_ROLLUP: Final = Path("/proc/self/smaps_rollup")


def _memory() -> int:
    gc.collect()
    lines = _ROLLUP.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


async def _handle(_: object, __: Envelope) -> None:
    """Handle a message, if one should come."""


async def _receive(letters: trio.MemoryReceiveChannel[bytes]) -> None:
    async for _ in letters:
        pass


async def _measure_actors(size: int) -> None:
    children = (actor(f"actor-{n}", _handle) for n in range(size))
    whole = blueprint(*children, stop_timeout=600)
    async with open_system(blueprint(actor("first", _handle))):
        pass  # what is made once is there now
    before = _memory()
    async with open_system(whole) as system:
        await trio.testing.wait_all_tasks_blocked()
        grown = _memory() - before
        running = system.supervisor("root").count_children().active
        check_count("actors that run", running, size)
    tell_parent(each=grown / size, running=running)


async def _measure_tasks(size: int) -> None:
    before = _memory()
    posts = []
    async with trio.open_nursery() as nursery:
        for _ in range(size):
            post, letters = trio.open_memory_channel[bytes](DEFAULT_MAILBOX)
            nursery.start_soon(_receive, letters)
            posts.append(post)
        await trio.testing.wait_all_tasks_blocked()
        grown = _memory() - before
        parked = sum(post.statistics().tasks_waiting_receive for post in posts)
        check_count("tasks that are parked", parked, size)
        nursery.cancel_scope.cancel()
    tell_parent(each=grown / size, running=parked)


def _report(size: int) -> None:
    tasks = run_child(__file__, "--tasks", size)
    actors = run_child(__file__, "--actors", size)
    report = Report(f"one idle Python actor of {size:,}")
    report.measured("tasks that were parked", tasks["running"], count)
    report.measured("actors that ran", actors["running"], count)
    report.measured("bare task", tasks["each"], kib)
    report.measured("actor", actors["each"], kib)
    report.ratio("actor", "bare task", at_most=2)
    report.finish()


def main() -> None:
    """Measure both in processes of their own, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000, help="actors")
    parser.add_argument("--actors", type=int, help="measure that many, in this process")
    parser.add_argument("--tasks", type=int, help="the same, of bare tasks")
    options = parser.parse_args()
    if options.actors:
        trio.run(_measure_actors, options.actors)
    elif options.tasks:
        trio.run(_measure_tasks, options.tasks)
    else:
        _report(options.size)


if __name__ == "__main__":
    main()
