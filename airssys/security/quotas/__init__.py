"""Quotas: how much a component may use, alone and with all others of its subtree."""

from ._accounts import WARNINGS, Account, Reservation, Shortage, Warned
from ._meters import Amount, Meter, Rate
from ._register import Accounts

__all__ = (
    "WARNINGS",
    "Account",
    "Accounts",
    "Amount",
    "Meter",
    "Rate",
    "Reservation",
    "Shortage",
    "Warned",
)
