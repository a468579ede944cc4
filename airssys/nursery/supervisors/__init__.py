"""Supervisors: they start, stop and restart children."""

from ._supervisor import Supervisor

__all__ = ("Supervisor",)
