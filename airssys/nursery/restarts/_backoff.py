"""How long a child that failed waits before it is started again. Pure.

Each child has a count of its own failures in a row, whatever other children share its restarts.
The pause belongs to the child that failed; those that share its restart are stopped at
once and wait with it. Nothing else waits: not administration, not stopping.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from airssys.contracts import Backoff, Growth

if TYPE_CHECKING:
    import random


def failures_before(backoff: Backoff, failures: int, ran_for: float | None) -> int:
    """Count the failures in a row before this one.

    Args:
        backoff: what the child was given.
        failures: those counted so far.
        ran_for: seconds that it had run; None if it did not even start.
    """
    if ran_for is not None and ran_for >= backoff.reset_after:
        return 0
    return failures


def pause_before_restart(backoff: Backoff, failures: int, rng: random.Random) -> float:
    """Return the seconds to wait after one more failure.

    Args:
        backoff: what the child was given.
        failures: those in a row before this one.
        rng: where jitter comes from; asked only for jitter.
    """
    pause = min(_grown(backoff, failures), backoff.cap)
    return rng.uniform(0.0, pause) if backoff.jitter else pause


def _grown(backoff: Backoff, failures: int) -> float:
    match backoff.growth:
        case Growth.CONSTANT:
            return backoff.first
        case Growth.LINEAR:
            return backoff.first * (failures + 1)
        case Growth.EXPONENTIAL:
            try:
                return backoff.first * float(backoff.factor) ** failures
            except OverflowError:
                return backoff.cap
        case _:
            assert_never(backoff.growth)
