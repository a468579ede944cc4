"""Guards what a program supplies for the system to call: clock, randomness and rng.

They are called during steps that must not fail, such as sending a message for a timer,
or the pause before a restart. If one of them fails, by raising or by returning an
invalid value, the standard library's is used in its place and a warning is logged once.
If it raises to end the program, the program ends in order.
"""

from __future__ import annotations

import logging
import os
import random
import time
from operator import index
from typing import TYPE_CHECKING, Final, TypeAlias, final

from airssys.contracts import find_fatal, kind_name, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.contracts import Randomness, WallClock

    EndBy: TypeAlias = Callable[[BaseException], None]

_LOG: Final = logging.getLogger("airssys")
_LATEST: Final = 2**63
"""Nanoseconds since 1970 above which a time is not valid: in the year 2262."""


def steady_clock(given: WallClock, end_by: EndBy) -> WallClock:
    """Return a clock that always returns a valid time."""
    if given is time.time_ns:
        return given
    failures = _Failures("wall_clock", end_by)

    def now() -> int:
        try:
            reading = index(given())
            if 0 <= reading < _LATEST:
                return reading
            failures.note(ValueError(f"{reading} is not a valid time"))
        except BaseException as error:  # noqa: BLE001, ASYNC103  # handed on
            failures.note(error)
        return time.time_ns()

    return now


def steady_randomness(given: Randomness, end_by: EndBy) -> Randomness:
    """Return a function that always returns as many random bytes as requested."""
    if given is os.urandom:
        return given
    failures = _Failures("randomness", end_by)

    def draw(size: int) -> bytes:
        try:
            data = bytes(memoryview(given(size)))
            if len(data) == size:
                return data
            failures.note(
                ValueError(f"it returned {len(data)} bytes instead of {size}")
            )
        except BaseException as error:  # noqa: BLE001, ASYNC103  # handed on
            failures.note(error)
        return os.urandom(size)

    return draw


def steady_rng(given: random.Random | None, end_by: EndBy) -> random.Random | None:
    """Return a generator that always draws a number from the requested range."""
    if given is None or type(given) is random.Random:  # noqa: S311  # jitter need not be secret
        return given
    return _SteadyRng(given, _Failures("rng", end_by))


@final
class _SteadyRng(random.Random):  # noqa: S311  # as above
    """Draws from the program's generator, unless that fails."""

    def __init__(self, given: random.Random, failures: _Failures) -> None:
        super().__init__()
        self._given, self._failures = given, failures

    def uniform(self, a: float, b: float) -> float:
        """Draw a number from a to b."""
        try:
            drawn = float(self._given.uniform(a, b))
            if a <= drawn <= b:
                return drawn
            self._failures.note(ValueError(f"{drawn} is not from {a} to {b}"))
        except BaseException as error:  # noqa: BLE001, ASYNC103  # handed on
            self._failures.note(error)
        return super().uniform(a, b)


@final
class _Failures:
    """The failures of one supplied object; the first one is logged."""

    def __init__(self, what: str, end_by: EndBy) -> None:
        self._what, self._end_by = what, end_by
        self._is_logged = False

    def note(self, error: BaseException) -> None:
        if not self._ends_by(error) and not self._is_logged:
            self._is_logged = True
            try:
                self._log(error)
            except BaseException as problem:  # noqa: BLE001, ASYNC103  # of the program's log handlers
                self._ends_by(problem)

    def _ends_by(self, error: BaseException) -> bool:
        fatal = find_fatal(error)
        if fatal is not None:
            self._end_by(fatal)
        return fatal is not None

    def _log(self, error: BaseException) -> None:
        reason = one_line(f"{kind_name(error)}: {text_of(error)}")
        text = "%s failed, so the standard library's is used in its place: %s"
        _LOG.warning(text, self._what, reason)
