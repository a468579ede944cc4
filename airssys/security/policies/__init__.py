"""Policies: what a whole blueprint grants, checked before anything starts."""

from ._checks import (
    Bound,
    bound_of,
    find_grant_mistakes,
    grant_mistakes,
    rules_of_grants,
)

__all__ = (
    "Bound",
    "bound_of",
    "find_grant_mistakes",
    "grant_mistakes",
    "rules_of_grants",
)
