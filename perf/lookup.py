"""Looking up a name in the registry, and the subscribers of a topic, as they grow.

Each number is the time of one lookup among this many entries. Ten of them are looked up in
turn. Topics are looked up as publishing does it, which remembers what it found, and again
after a change each time, when nothing is remembered.
"""

from __future__ import annotations

import argparse
import random
from time import perf_counter
from typing import TYPE_CHECKING, Final

from measuring.ratios import Report, check_count, seconds

from airssys.contracts import ComponentId
from airssys.messaging import Mailbox, Registry
from airssys.messaging.publishing._topics import (  # noqa: PLC2701  # what publishing looks up in
    Subscriptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_SIZES: Final = (10, 100, 1_000, 10_000, 100_000)
_LOOKUPS: Final = 200
_MOST: Final = 1.5
"""How much longer it may take among most entries than among fewest, and be flat."""


def _least(rounds: int, once: Callable[[], float]) -> float:
    return min(once() for _ in range(rounds)) / _LOOKUPS


def _registry(size: int, rounds: int, rng: random.Random) -> float:
    registry = Registry()
    for number in range(size):
        registry.register(Mailbox(ComponentId("local", f"actor-{number}"), 1))
    names = [ComponentId("local", f"actor-{n}") for n in _some(size, rng)]

    def once() -> float:
        find, found = registry.find, 0
        began = perf_counter()
        for name in names:
            found += find(name).owner == name
        took = perf_counter() - began
        check_count("mailboxes found", found, _LOOKUPS)
        return took

    return _least(rounds, once)


def _some(size: int, rng: random.Random) -> list[int]:
    """Choose numbers below a size; the same few however many there are."""
    ten = rng.sample(range(size), 10)
    return [ten[n % 10] for n in range(_LOOKUPS)]


def _topics(size: int, rounds: int, rng: random.Random, *, afresh: bool) -> float:
    subscriptions: Subscriptions[int] = Subscriptions()
    for number in range(size):
        subscriptions.add(f"orders.{number}.paid", number)
    subscriptions.add("orders.*.paid", -1)
    subscriptions.add("orders.#", -2)
    numbers = _some(size, rng)
    topics = [f"orders.{number}.paid" for number in numbers]

    def once() -> float:
        took, found = 0.0, 0
        for number, topic in zip(numbers, topics, strict=True):
            if afresh:
                subscriptions.add("other", -3)
            began = perf_counter()
            who = subscriptions.find(topic)
            took += perf_counter() - began
            found += set(who) == {number, -1, -2}
        check_count("topics matched", found, _LOOKUPS)
        return took

    return _least(rounds, once)


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of 200 lookups each")
    rounds = parser.parse_args().rounds
    rng = random.Random(5)
    report = Report("one lookup among this many entries")
    for size in _SIZES:
        report.measured(f"name, {size:,}", _registry(size, rounds, rng), seconds)
    for size in _SIZES:
        took = _topics(size, rounds, rng, afresh=False)
        report.measured(f"topic, {size:,}", took, seconds)
    for size in _SIZES:
        took = _topics(size, rounds, rng, afresh=True)
        report.measured(f"topic after a change, {size:,}", took, seconds)
    for what in ("name", "topic", "topic after a change"):
        report.ratio(f"{what}, {_SIZES[-1]:,}", f"{what}, {_SIZES[0]:,}", at_most=_MOST)
    report.finish()


if __name__ == "__main__":
    main()
