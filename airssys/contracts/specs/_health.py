"""How actors are asked how they are."""

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
    """How often an actor is asked how it is, and when it counts as failed.

    `unhealthy` is a failed probe, and so is each `timeout` that passes while a probe is
    not answered. `threshold` of them in a row, and the actor ends with `Unhealthy`.
    `healthy` forgets those before it; `degraded` and `unknown` neither count nor forget.
    """

    interval: float = 5.0
    """Seconds from being ready, or from the end of a probe, to the next one."""
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
    """Return the worst of some, None if nobody among them is asked.

    From best to worst: healthy, unknown, degraded, unhealthy.
    """
    told = (status for status in statuses if status is not None)
    return max(told, key=_ORDER.index, default=None)


def health_mistakes(health: object, code: object, path: str) -> Iterator[Mistake]:
    """Look at how an actor is to be probed; `code` is that of a Python actor."""
    path = f"{path}.health"
    if health is None:
        return
    if callable(code) and not callable(getattr(code, "health", None)):
        text = f"{shown(code)} cannot be asked how it is"
        hint = "write a class with `async def health(self, context)`"
        yield Mistake(path, text, hint)
    if not isinstance(health, Health):
        yield Mistake(path, f"{shown(health)} is no Health", "write Health(), or None")
        return
    for name in ("interval", "timeout"):
        value = getattr(health, name)
        if not is_time(value, allow_infinity=False):
            text = f"{shown(value)} is no time"
            yield Mistake(f"{path}.{name}", text, "seconds, above 0")
    if not is_count(health.threshold, at_least=1):
        text = f"{shown(health.threshold)} is no number of failures"
        yield Mistake(f"{path}.threshold", text, "a whole number, 1 or more")
