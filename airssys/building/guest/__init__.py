"""What is built into a Python guest; it runs in there, and never in the host."""

__all__ = ()
