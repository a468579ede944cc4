"""Fixtures for tests of actors; airssys itself is imported when one of them is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio.testing import MockClock

    from airssys.system import Opening
    from airssys.testing import EventRecord


@pytest.fixture
def airssys_clock() -> MockClock:
    """A clock that jumps over waiting, but not over threads; pytest-trio uses it."""
    from airssys.testing import steady_clock  # noqa: PLC0415  # see above

    return steady_clock()


@pytest.fixture
def airssys_events() -> EventRecord:
    """The events in the systems that `airssys_system` opens."""
    from airssys.testing import EventRecord  # noqa: PLC0415  # see above

    return EventRecord()


@pytest.fixture
def airssys_system(airssys_events: EventRecord) -> Callable[..., Opening]:
    """Opens systems, like `open_system`, and records their events."""
    from functools import partial  # noqa: PLC0415  # see above

    from airssys.testing import watched_system  # noqa: PLC0415  # see above

    return partial(watched_system, record=airssys_events)
