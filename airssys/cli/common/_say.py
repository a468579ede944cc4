"""Prints text; a terminal must not obey escape sequences in names and errors."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final, TextIO

import click

from airssys.contracts import one_line

EXIT_OUTPUT: Final = 74
"""What was to be printed could not be (EX_IOERR of sysexits.h)."""
EXIT_UNREAD: Final = 1
"""The reader of a pipe has gone, such as `head`."""
_MOST: Final = 100_000
"""Characters of a line. Lists of functions may be long."""


def say(line: str, *, err: bool = False) -> None:
    """Print one line, with unprintable characters escaped.

    Args:
        line: The text.
        err: Print to stderr, not stdout.
    """
    _echo(one_line(line, _MOST), err=err)


def say_lines(text: str) -> None:
    """Print several lines of text on stderr, each as `say` does."""
    _echo(escaped(text), err=True)


def _echo(text: str, *, err: bool) -> None:
    """Print, or end the program with a line about what cannot be written to.

    If the reader of a pipe has gone, it ends without a line. A command that got an
    `OSError` would report it as one of the file that it reads.

    Raises:
        SystemExit: it could not be printed.
    """
    try:
        click.echo(text, err=err)
    except BrokenPipeError:
        _write_nowhere(sys.stderr if err else sys.stdout)
        sys.exit(EXIT_UNREAD)
    except OSError as error:
        with suppress(OSError):
            stream = "stderr" if err else "stdout"
            click.echo(
                f"airssys: {stream} cannot be written: {error.strerror}", err=True
            )
        # What is left in the buffer would fail once more when the program ends.
        with suppress(OSError):
            (sys.stderr if err else sys.stdout).close()
        sys.exit(EXIT_OUTPUT)


def _write_nowhere(stream: TextIO) -> None:
    """Drop what is left in the buffer: Python writes it once more when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)


def escaped(text: str) -> str:
    """Return several lines of text, with other unprintable characters escaped."""
    return "\n".join(one_line(line, _MOST) for line in text.expandtabs().split("\n"))
