"""The commands, one module for each."""

__all__ = ()
