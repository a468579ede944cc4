"""Checks how a child is restarted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airssys.contracts.errors import Mistake
from airssys.contracts.values import (
    AutoShutdown,
    Backoff,
    Directive,
    Growth,
    Intensity,
    Poison,
    RestartType,
    choices,
    is_count,
    is_time,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def backoff_mistakes(backoff: object, path: str) -> Iterator[Mistake]:
    """Check a back-off."""
    path = f"{path}.backoff"
    if not isinstance(backoff, Backoff):
        yield Mistake(path, f"{shown(backoff)} is not a Backoff", "e.g. NO_BACKOFF")
        return
    if not _is(backoff.growth, Growth):
        text = f"{shown(backoff.growth)} is not a valid growth"
        hint = choices(Growth, backoff.growth)
        yield Mistake(f"{path}.growth", text, hint)
    if not _is(backoff.jitter, bool):
        yield Mistake(f"{path}.jitter", f"{shown(backoff.jitter)}", "True or False")
    lowest = {"first": 0.0, "factor": 1.0, "cap": 0.0, "reset_after": 0.0}
    for name, low in lowest.items():
        value = getattr(backoff, name)
        if not _is_number(value) or value < low:
            hint = f"a number, {low:g} or more"
            yield Mistake(f"{path}.{name}", f"{shown(value)}", hint)


def on_error_mistakes(
    on_error: object, path: str, *, may_resume: bool
) -> Iterator[Mistake]:
    """Check the directives for errors."""
    path = f"{path}.on_error"
    if not isinstance(on_error, tuple):
        hint = "write a tuple of (error type, Directive)"
        yield Mistake(path, f"{shown(on_error)}", hint)
        return
    for index, entry in enumerate(on_error):
        match entry:
            case (type() as kind, Directive() as directive) if issubclass(
                kind, Exception
            ):
                if directive is Directive.RESUME and not may_resume:
                    text = f"an actor cannot resume after {kind.__name__}"
                    hint = "only Python actors keep their state after an error"
                    yield Mistake(f"{path}[{index}]", text, hint)
            case (type() as kind, str() as word) if issubclass(kind, Exception):
                text = f"{shown(word)} is not a valid directive"
                yield Mistake(f"{path}[{index}]", text, choices(Directive, word))
            case _:
                hint = "write (error type, Directive)"
                yield Mistake(f"{path}[{index}]", f"{shown(entry)}", hint)


def significance_mistakes(
    significant: object,
    restart: RestartType,
    auto_shutdown: AutoShutdown,
    path: str,
) -> Iterator[Mistake]:
    """Check whether a child may be significant in its place."""
    path = f"{path}.significant"
    if not isinstance(significant, bool):
        text = f"{shown(significant)} is not a bool"
        yield Mistake(path, text, "write True or False")
    elif significant and restart is RestartType.PERMANENT:
        text = "a permanent child cannot be significant"
        hint = "make it transient or temporary"
        yield Mistake(path, text, hint)
    elif significant and auto_shutdown is AutoShutdown.NEVER:
        text = "its supervisor never shuts down automatically"
        yield Mistake(path, text, "set auto_shutdown of the supervisor")


def intensity_mistakes(intensity: Intensity, path: str) -> Iterator[Mistake]:
    """Check how many restarts a supervisor allows."""
    if not _is(intensity, Intensity):
        text = f"{shown(intensity)} is not an Intensity"
        yield Mistake(path, text, "write Intensity(restarts, seconds)")
        return
    if not is_count(intensity.restarts, at_least=0):
        text = f"{shown(intensity.restarts)} is not a valid number of restarts"
        yield Mistake(f"{path}.restarts", text, "write a whole number of 0 or more")
    if not is_time(intensity.period, allow_infinity=False):
        text = f"period must be a number of seconds, not {shown(intensity.period)}"
        yield Mistake(f"{path}.period", text, "write a number of seconds above 0")


def crash_mistakes(poison: object, path: str) -> Iterator[Mistake]:
    """Check what happens to a message that makes an actor crash."""
    if not isinstance(poison, Poison):
        hint = choices(Poison, poison)
        text = f"{shown(poison)} is not a valid poison policy"
        yield Mistake(f"{path}.poison", text, hint)


def budget_mistakes(
    supervisors: Iterable[tuple[str, str, tuple[Intensity, ...]]], budget: int
) -> Iterator[Mistake]:
    """Find paths on which restarts multiply beyond a budget.

    Each supervisor on the path allows its restarts again after each restart of its own,
    so a child may be started (R1 + 1) (R2 + 1) … times, within the longest of their
    periods, before the root gives up. Of a path that exceeds the budget, the first
    supervisor that does is named.
    """
    for path, name, chain in supervisors:
        starts = _starts(chain)
        if starts > budget >= _starts(chain[:-1]):
            period = max(intensity.period for intensity in chain)
            text = f"children of {name} may be started {shown(starts)} times"
            text = f"{text} in {shown(period)} s before the root gives up"
            hint = f"the budget is {budget}: allow fewer restarts, or fewer levels"
            yield Mistake(f"{path}.intensity.restarts", text, hint)


def _starts(chain: tuple[Intensity, ...]) -> int:
    return math.prod(intensity.restarts + 1 for intensity in chain)


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _is_number(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return not math.isnan(value)
