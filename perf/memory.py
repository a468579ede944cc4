"""Memory of component actors: bytes for each of up to 10,000 in one system.

Each size is measured in a process of its own, before the system is opened and when all
its actors are ready, and again when each has handled a message. `resident` is what the
process holds in memory, `anonymous` the part of it that belongs to no file. A line is fitted through
all sizes: its slope is the price of one more actor. For comparison, the same number of
bare instances: a store and an instance in it, and nothing around them.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Final, final

import attrs
import trio
from measuring.children import run_child, tell_parent
from measuring.engine_room import RawInstances
from measuring.guests import PAYLOAD, guest_file, lend, open_shop
from measuring.ratios import Report, check_count, count, fit_line, kib

from airssys.contracts import BRUTAL_KILL, Blueprint, ComponentLoader
from airssys.dsl import blueprint, component
from airssys.system import open_system

_GUEST: Final = "echo"
_SIZES: Final = 4
_MOST_EACH: Final = 64 * 1024
_MOST_OFF_LINE: Final = 0.05
_KINDS: Final = ("resident", "anonymous")
_ROLLUP: Final = Path("/proc/self/smaps_rollup")


@final
@attrs.frozen
class Memory:
    """The memory of this process, in bytes."""

    resident: int
    anonymous: int

    def above(self, less: Memory) -> tuple[int, int]:
        """By how much it grew."""
        return self.resident - less.resident, self.anonymous - less.anonymous


def _memory() -> Memory:
    fields = {}
    for line in _ROLLUP.read_text().splitlines()[1:]:
        name, value, _ = line.split()
        fields[name] = int(value) * 1024
    return Memory(fields["Rss:"], fields["Anonymous:"])


def _actors(size: int) -> Blueprint:
    code = guest_file(_GUEST)
    actors = (component(f"actor-{n}", code, shutdown=BRUTAL_KILL) for n in range(size))
    return blueprint(*actors, stop_timeout=600)


async def _warm_up(loader: ComponentLoader) -> None:
    """Let everything that is made once be made before anything is measured."""
    async with open_system(_actors(1), open_loader=lambda _: lend(loader)) as system:
        await system.ask("actor-0", PAYLOAD)


async def _measure_actors(size: int) -> None:
    async with open_shop(_GUEST) as shop:
        await _warm_up(shop.loader)
        before = _memory()
        opening = open_system(_actors(size), open_loader=lambda _: lend(shop.loader))
        async with opening as system:
            ready = _memory().above(before)
            answered = 0
            for number in range(size):
                name = f"actor-{number}"
                answer = await system.ask(name, PAYLOAD, timeout=math.inf)
                answered += answer == PAYLOAD
            check_count("answers", answered, size)
            tell_parent(ready=ready, used=_memory().above(before))


async def _measure_instances(size: int) -> None:
    async with open_shop(_GUEST) as shop:
        await _warm_up(shop.loader)
        before = _memory()
        instances = RawInstances(shop.component)
        check_count("instances", instances.make(size)[1], size)
        tell_parent(bare=_memory().above(before))
        instances.close()


def _add_growth(
    report: Report, when: str, grown: dict[int, tuple[int, int]], bare: float
) -> None:
    """Add what one actor costs at the largest size, and by the line through all."""
    largest = max(grown)
    for place, kind in enumerate(_KINDS):
        each = grown[largest][place] / largest
        slope, off = fit_line((size, both[place]) for size, both in grown.items())
        name = f"{when}, {kind}"
        report.measured(f"{name}: each of {largest:,}", each, kib, at_most=_MOST_EACH)
        report.measured(f"{name}: one more", slope, kib, at_most=_MOST_EACH)
        report.measured(
            f"{name}: furthest off a line, of the whole",
            off,
            "{:.2%}".format,
            at_most=_MOST_OFF_LINE,
        )
        report.measured(f"{name}: times a bare instance", each / bare, "{:.2f}".format)


def _report(most: int) -> None:
    sizes = [most * part // _SIZES for part in range(1, _SIZES + 1)]
    found = {size: run_child(__file__, "--actors", size) for size in sizes}
    bare = run_child(__file__, "--instances", most)["bare"][0] / most
    report = Report(f"memory of component actors, {', '.join(map(str, sizes))}")
    report.measured("actors that answered", sum(found), count)
    report.measured("a bare instance, resident", bare, kib)
    for when in ("ready", "used"):
        grown = {size: tuple(each[when]) for size, each in found.items()}
        _add_growth(report, when, grown, bare)
    report.finish()


def main() -> None:
    """Measure every size in a process of its own, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000, help="actors")
    parser.add_argument("--actors", type=int, help="measure that many, in this process")
    parser.add_argument("--instances", type=int, help="the same, of bare instances")
    options = parser.parse_args()
    if options.actors:
        trio.run(_measure_actors, options.actors)
    elif options.instances:
        trio.run(_measure_instances, options.instances)
    else:
        _report(options.most)


if __name__ == "__main__":
    main()
