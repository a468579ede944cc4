"""Modules that are built into a Python guest; they run there, never in the host."""

__all__ = ()
