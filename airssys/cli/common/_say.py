"""Prints text; a terminal must not obey escape sequences in names and errors."""

from __future__ import annotations

from typing import Final

import click

from airssys.contracts import one_line

_MOST: Final = 100_000
"""Characters of a line. Lists of functions may be long."""


def say(line: str, *, err: bool = False) -> None:
    """Print one line, with unprintable characters escaped.

    Args:
        line: The text.
        err: Print to stderr, not stdout.
    """
    click.echo(one_line(line, _MOST), err=err)


def say_lines(text: str) -> None:
    """Print several lines of text on stderr, each as `say` does."""
    click.echo(escaped(text), err=True)


def escaped(text: str) -> str:
    """Return several lines of text, with other unprintable characters escaped."""
    return "\n".join(one_line(line, _MOST) for line in text.expandtabs().split("\n"))
