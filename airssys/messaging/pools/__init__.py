"""Pools: which member a message goes to."""

from ._member import Member
from ._pool import Pool, Recipient, first_that

__all__ = ("Member", "Pool", "Recipient", "first_that")
