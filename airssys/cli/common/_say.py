"""Text on the terminal, which must not obey what names and errors of others hold."""

from __future__ import annotations

from typing import Final

import click

from airssys.contracts import one_line

_MOST: Final = 100_000
"""Characters of a line; lists of functions may be long."""


def say(line: str, *, err: bool = False) -> None:
    """Print one line, with what is not printable escaped.

    Args:
        line: what to print.
        err: on stderr, not stdout.
    """
    click.echo(one_line(line, _MOST), err=err)


def say_lines(text: str) -> None:
    """Print a text of several lines on stderr, each as `say` does."""
    click.echo(escaped(text), err=True)


def escaped(text: str) -> str:
    """Return a text of several lines with all else that is not printable escaped."""
    return "\n".join(one_line(line, _MOST) for line in text.expandtabs().split("\n"))
