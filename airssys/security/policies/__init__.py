"""Policies: what a whole blueprint grants, checked before anything starts."""

from ._checks import (
    Bound,
    bound_of,
    find_grant_mistakes,
    grant_mistakes,
    rules_held,
    rules_of_grants,
)
from ._least import narrowest, word_of
from ._needs import NEEDS, ungranted
from ._reach import Reach, can_reach, meets, read_question, who_can

__all__ = (
    "NEEDS",
    "Bound",
    "Reach",
    "bound_of",
    "can_reach",
    "find_grant_mistakes",
    "grant_mistakes",
    "meets",
    "narrowest",
    "read_question",
    "rules_held",
    "rules_of_grants",
    "ungranted",
    "who_can",
    "word_of",
)
