"""Values there and back: our marshalling against C calls with memory made by hand.

A guest returns what it is given. Compared in one run, for each type:

* raw: the call through the C API by plain ctypes, with its arguments laid out before, and
  its result deleted without being read;
* marshalled: the same call with the arguments laid out from Python values, and the
  result read into Python values.

Both are processor time of this thread, in the fastest of many rounds, because other work
of the machine only makes them slower. `--detail` also shows the time of laying out and
reading.
"""

from __future__ import annotations

import argparse
from time import thread_time
from typing import TYPE_CHECKING, Final

import trio
from measuring.engine_room import RawCall
from measuring.mirrors import MIRRORED, Mirrored, open_mirror
from measuring.ratios import Report, check_count, seconds

from airssys.contracts import EngineSettings
from airssys.wasm import open_runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.wasm.loading._any_instance import AnyInstance

MOST: Final = 3.0
_ROUND: Final = 0.005
"""Seconds."""


def fastest(acts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds for one time of each, in its fastest round; each has a part in all."""
    times = {}
    for name, act in acts.items():
        act()
        began = thread_time()
        act()
        times[name] = max(1, int(_ROUND / (thread_time() - began)))
    best = dict.fromkeys(acts, float("inf"))
    for _ in range(rounds):
        for name, act in acts.items():
            began = thread_time()
            for _ in range(times[name]):
                act()
            best[name] = min(best[name], (thread_time() - began) / times[name])
    return best


def measure(
    report: Report, guest: AnyInstance, number: int, each: Mirrored, rounds: int
) -> dict[str, float]:
    """Compare the two for one type."""
    raw = RawCall(guest, f"mirror-{number}", each.value)
    check_count(
        f"{each.name}: values that came back", raw.marshalled() == each.value, 1
    )
    acts: dict[str, Callable[[], object]] = {
        "raw": raw.call,
        "marshalled": raw.marshalled,
        "laying out": raw.lay_out,
        "reading": raw.read,
    }
    found = fastest(acts, rounds)
    report.measured(f"{each.name}, raw", found["raw"], seconds)
    report.measured(f"{each.name}, marshalled", found["marshalled"], seconds)
    report.ratio(f"{each.name}, marshalled", f"{each.name}, raw", at_most=MOST)
    return found


async def run(rounds: int, *, detail: bool) -> None:
    """Measure all types."""
    report = Report("values there and back")
    async with open_runtime(EngineSettings()) as loader:
        guest = await open_mirror(loader)
        for number, each in enumerate(MIRRORED):
            found = measure(report, guest, number, each, rounds)
            for part in ("laying out", "reading") if detail else ():
                report.measured(f"  {each.name}, {part}", found[part], seconds)
        guest.close()
    report.finish()


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--detail", action="store_true")
    chosen = parser.parse_args()
    trio.run(lambda: run(chosen.rounds, detail=chosen.detail))


if __name__ == "__main__":
    main()
