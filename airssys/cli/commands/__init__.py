"""The commands, a module for each."""

__all__ = ()
