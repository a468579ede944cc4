"""The `airssys` command: prints, and exits."""

from ._app import main

__all__ = ["main"]
