"""Supervisors: they start, stop and restart children."""

from ._dynamic_supervisor import DynamicSupervisor
from ._supervisor import Supervisor

__all__ = ("DynamicSupervisor", "Supervisor")
