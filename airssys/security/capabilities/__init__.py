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
from ._log_lines import ANY_LINE, LOG, LogLines, with_log_lines
from ._rules import Difference, GrantMistake, Rule, Rules, read_grants

__all__ = (
    "ANY_LINE",
    "KINDS",
    "LOG",
    "AtLeast",
    "Difference",
    "Endpoint",
    "Everything",
    "Exactly",
    "GrantMistake",
    "Kind",
    "LogLines",
    "Origin",
    "Pattern",
    "Rule",
    "Rules",
    "Words",
    "define_kind",
    "read_grants",
    "with_log_lines",
)
