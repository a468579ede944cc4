"""Pools: which member a message goes to."""

from ._pool import Pool, Recipient, first_that
from ._routee import Routee

__all__ = ("Pool", "Recipient", "Routee", "first_that")
