"""Quotas: how much a component may use, alone and with all others of its subtree."""

from ._accounts import (
    WARNINGS,
    Account,
    AtTheLimit,
    Reservation,
    Shortage,
    Warned,
)
from ._meters import Amount, Meter, Rate

__all__ = (
    "WARNINGS",
    "Account",
    "Amount",
    "AtTheLimit",
    "Meter",
    "Rate",
    "Reservation",
    "Shortage",
    "Warned",
)
