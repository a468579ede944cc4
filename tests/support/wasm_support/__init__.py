"""What the tests of airssys.wasm share: real guests, host services, a heartbeat."""

from ._guests import (
    GUESTS,
    ME,
    SENDER,
    Guests,
    beat,
    envelope,
    is_spent_because,
    open_guests,
    process_memory,
)
from ._services import BOB, ScriptedServices

__all__ = (
    "BOB",
    "GUESTS",
    "ME",
    "SENDER",
    "Guests",
    "ScriptedServices",
    "beat",
    "envelope",
    "is_spent_because",
    "open_guests",
    "process_memory",
)
