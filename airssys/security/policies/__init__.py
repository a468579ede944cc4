"""Policies: what a whole blueprint grants, checked before anything starts."""

from ._checks import (
    Bound,
    bound_of,
    find_grant_mistakes,
    grant_mistakes,
    rules_of_grants,
)
from ._needs import NEEDS, ungranted

__all__ = (
    "NEEDS",
    "Bound",
    "bound_of",
    "find_grant_mistakes",
    "grant_mistakes",
    "rules_of_grants",
    "ungranted",
)
