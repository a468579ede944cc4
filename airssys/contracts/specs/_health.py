"""How actors report their health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.contracts.errors import Mistake
from airssys.contracts.values import HealthStatus, is_count, is_time, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@final
@attrs.frozen(kw_only=True)
class Health:
    """How often an actor's health is probed, and when the actor counts as failed.

    A probe fails if the actor answers `unhealthy`, and each time `timeout` passes
    without an answer. After `threshold` failures in a row, the actor ends with
    `Unhealthy`. `healthy` resets the count; `degraded` and `unknown` leave it as it is.
    """

    interval: float = 5.0
    """Seconds from becoming ready, or from the end of a probe, to the next probe."""
    timeout: float = 1.0
    """Seconds."""
    threshold: int = 3


_ORDER: Final = (
    HealthStatus.HEALTHY,
    HealthStatus.UNKNOWN,
    HealthStatus.DEGRADED,
    HealthStatus.UNHEALTHY,
)


def worst_health(statuses: Iterable[HealthStatus | None]) -> HealthStatus | None:
    """Return the worst of some states; None if there are none.

    From best to worst: healthy, unknown, degraded, unhealthy.
    """
    known = (status for status in statuses if status is not None)
    return max(known, key=_ORDER.index, default=None)


def health_mistakes(health: object, code: object, path: str) -> Iterator[Mistake]:
    """Check how an actor is to be probed; `code` is that of a Python actor."""
    path = f"{path}.health"
    if health is None:
        return
    if callable(code) and not callable(getattr(code, "health", None)):
        text = f"{shown(code)} cannot be probed"
        hint = "write a class with `async def health(self, context)`"
        yield Mistake(path, text, hint)
    if not isinstance(health, Health):
        yield Mistake(
            path, f"{shown(health)} is not a Health", "write Health(), or None"
        )
        return
    for name in ("interval", "timeout"):
        value = getattr(health, name)
        if not is_time(value, allow_infinity=False):
            text = f"{name} must be a number of seconds, not {shown(value)}"
            yield Mistake(f"{path}.{name}", text, "write a number of seconds above 0")
    if not is_count(health.threshold, at_least=1):
        text = f"{shown(health.threshold)} is not a valid number of failures"
        yield Mistake(f"{path}.threshold", text, "write a whole number of 1 or more")
