"""Audit: records of what was decided, in a chain that shows every change."""

from ._chain import Flaw, Head, verify, write_record

__all__ = ("Flaw", "Head", "verify", "write_record")
