"""Fakes of the ports; each passes the conformance checks."""

from ._guest import FakeComponent, FakeGuest, FakeLoader
from ._services import FakeServices
from ._small import EventList, HandWallClock, SeededRandomness
from ._storage import FakeKeyspace, FakeStorage

__all__ = (
    "EventList",
    "FakeComponent",
    "FakeGuest",
    "FakeKeyspace",
    "FakeLoader",
    "FakeServices",
    "FakeStorage",
    "HandWallClock",
    "SeededRandomness",
)
