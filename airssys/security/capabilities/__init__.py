"""Capabilities: what grants mean, decided by pure functions."""

from ._kinds import (
    KINDS,
    AtLeast,
    Endpoint,
    Everything,
    Exactly,
    Kind,
    Origin,
    Pattern,
    Words,
    define_kind,
)
from ._rules import Difference, GrantMistake, Rule, Rules, read_grants

__all__ = (
    "KINDS",
    "AtLeast",
    "Difference",
    "Endpoint",
    "Everything",
    "Exactly",
    "GrantMistake",
    "Kind",
    "Origin",
    "Pattern",
    "Rule",
    "Rules",
    "Words",
    "define_kind",
    "read_grants",
)
