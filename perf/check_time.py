"""Declaring and checking a topology of 10,000 actors, in seconds of the processor.

A program waits for this at every start, so the bound is a time. The same for a tenth of
the actors is shown beside it, since checking must grow in proportion.
"""

from __future__ import annotations

import argparse
import gc
import time
from typing import TYPE_CHECKING, Final

from measuring.ratios import Report, check_count, seconds, times

from airssys.contracts import as_blueprint, find_mistakes, walk
from airssys.dsl import actor, supervisor, topology

if TYPE_CHECKING:
    from airssys import ActorContext, Envelope

_GROUP: Final = 10
_MANY: Final = 10_000
_MOST: Final = 2.0
"""Seconds of the processor for 10,000 actors."""


@actor(mailbox=10)
async def _handle(context: ActorContext, envelope: Envelope) -> None: ...


def _declare_and_check(actors: int) -> float:
    began = time.thread_time()
    groups = {}
    for number in range(actors // _GROUP):
        body = {f"g{number}-{n}": _handle for n in range(_GROUP)}
        groups[f"group{number}"] = supervisor(restarts=5)(type("Group", (), body))
    whole = as_blueprint(topology(type("App", (), groups)))
    mistakes = find_mistakes(whole)
    took = time.thread_time() - began
    check_count("mistakes", len(mistakes), 0)
    check_count("children", sum(1 for _ in walk(whole.root)) - 1, len(groups) + actors)
    return took


def _least(actors: int, rounds: int) -> float:
    gc.collect()
    return min(_declare_and_check(actors) for _ in range(rounds))


def main() -> None:
    """Measure a tenth and the whole, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=5, help="the least of these counts"
    )
    rounds = parser.parse_args().rounds
    few, many = _least(_MANY // 10, rounds), _least(_MANY, rounds)
    report = Report(f"declaring and checking, least of {rounds}")
    report.measured("1,000 actors", few, seconds)
    report.measured("10,000 actors", many, seconds, at_most=_MOST)
    report.measured("10,000 / 10 x 1,000", many / few / 10, times, at_most=3)
    report.finish()


if __name__ == "__main__":
    main()
