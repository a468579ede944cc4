"""What the host gives to a component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import attrs


@final
@attrs.frozen
class CoreHost:
    """What the host gives to a component: functions by full name."""

    instant: Mapping[str, Callable[..., Any]]
    """Run on the guest's stack; take the context of the instance, then the values."""
    pausing: frozenset[str]
    """Answered between two polls."""
