"""Typed Python modules for components, written from their own types."""

from ._read import Described, describe
from ._write import module_for

__all__ = ("Described", "describe", "module_for")
