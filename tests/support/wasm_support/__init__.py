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
from ._wit_text import checkout_wit, read_wit, wit_folder

__all__ = (
    "BOB",
    "GUESTS",
    "ME",
    "SENDER",
    "Guests",
    "ScriptedServices",
    "beat",
    "checkout_wit",
    "envelope",
    "is_spent_because",
    "open_guests",
    "process_memory",
    "read_wit",
    "wit_folder",
)
