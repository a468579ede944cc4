"""Conformance checks that every implementation of a port must pass."""

from ._guests import GUEST_QUESTIONS, examine_guests
from ._loaders import LOADER_QUESTIONS, examine_loaders
from ._services import SERVICES_QUESTIONS, Stand, examine_services
from ._small_ports import (
    examine_event_sink,
    examine_randomness,
    examine_ticks,
    examine_wall_clock,
)
from ._storages import STORAGE_QUESTIONS, examine_storages

__all__ = (
    "GUEST_QUESTIONS",
    "LOADER_QUESTIONS",
    "SERVICES_QUESTIONS",
    "STORAGE_QUESTIONS",
    "Stand",
    "examine_event_sink",
    "examine_guests",
    "examine_loaders",
    "examine_randomness",
    "examine_services",
    "examine_storages",
    "examine_ticks",
    "examine_wall_clock",
)
