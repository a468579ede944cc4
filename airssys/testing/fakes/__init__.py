"""Fakes of the ports; each passes the conformance checks."""

from ._guest import FakeComponent, FakeGuest, FakeLoader
from ._services import FakeServices
from ._small import EventList, HandWallClock, SeededRandomness
from ._store import FakeKeyspace, FakeStore

__all__ = (
    "EventList",
    "FakeComponent",
    "FakeGuest",
    "FakeKeyspace",
    "FakeLoader",
    "FakeServices",
    "FakeStore",
    "HandWallClock",
    "SeededRandomness",
)
