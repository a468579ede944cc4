"""The register of cases: what is measured, against what, how often, and what is wanted."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Final

from perf.suite import by_actors, by_components, by_trio
from perf.suite.bounds import WANTED
from perf.suite.timing import Case, Opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class UnknownCase(ValueError):
    """No case has this name, and no name matches this pattern."""


def _both(
    what: str,
    opening: Callable[..., object],
    calibration: Opening,
    loops: int,
) -> Iterator[Case]:
    """Make the case for a plain handler, and for one that is `async def`.

    Args:
        what: one line for people.
        opening: the case; its name is that of the case.
        calibration: what it is compared with.
        loops: operations in one value.
    """
    name = opening.__name__.replace("_", "-")
    unit = "byte" if name.endswith("bytes") else "second"
    below = (calibration.__name__.replace("_", "-"), calibration)
    for kind in ("plain", "async"):
        opened = partial(opening, plain=kind == "plain")
        most = WANTED[f"{name}/{kind}"]
        yield Case(f"{name}/{kind}", what, opened, below, loops, unit, most)  # type: ignore[arg-type]


CASES: Final = {
    case.name: case
    for case in (
        *_both(
            "one actor handles a message",
            by_actors.tell,
            by_trio.bounded_channel,
            5000,
        ),
        *_both(
            "an idle actor is asked and answers",
            by_actors.ask,
            by_trio.slot,
            2500,
        ),
        *_both(
            "one of a hundred actors tells the next",
            by_actors.ring,
            by_trio.ring,
            5000,
        ),
        *_both(
            "one of a hundred actors handles a message to all",
            by_actors.fan,
            by_trio.fan,
            10_000,
        ),
        *_both(
            "one of a hundred actors handles what is published",
            by_actors.publish,
            by_trio.fan,
            10_000,
        ),
        *_both(
            "an actor is started, one of a hundred",
            by_actors.spawn,
            by_trio.spawn,
            500,
        ),
        *_both(
            "an actor that waits",
            by_actors.idle_bytes,
            by_actors.idle_task_bytes,
            2500,
        ),
        *_both(
            "an actor crashes and its next incarnation answers",
            by_actors.crash,
            by_trio.crash,
            300,
        ),
        Case(
            "ask/component",
            "an idle component is asked and answers",
            by_components.ask,
            ("bare-calls", by_components.bare_calls),
            1000,
        ),
        Case(
            "tell/component",
            "one component handles a message",
            by_components.tell,
            ("bare-calls", by_components.bare_calls),
            1000,
        ),
        Case(
            "spawn/component",
            "an actor of a compiled component is started",
            by_components.spawn,
            ("bare-instances", by_components.bare_instances),
            100,
            wanted=WANTED["spawn/component"],
        ),
    )
}


def chosen(patterns: Iterable[str]) -> list[Case]:
    """Return the cases with these names or matching these patterns; all, if none is given.

    `ask` stands for `ask/plain` and `ask/async`.

    Raises:
        UnknownCase: naming the pattern, and all cases.
    """
    found: dict[str, Case] = {}
    for pattern in (patterns := list(patterns)):
        names = [
            name
            for name in CASES
            if fnmatchcase(name, pattern) or name.startswith(f"{pattern}/")
        ]
        if not names:
            raise UnknownCase(f"no case is named {pattern!r}; there are {_names()}")
        found.update((name, CASES[name]) for name in names)
    return [case for case in CASES.values() if not patterns or case.name in found]


def _names() -> str:
    return ", ".join(CASES)
