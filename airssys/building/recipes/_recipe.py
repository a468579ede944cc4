"""What one build reads, what it is made with, and how it is made."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from ._errors import BuildFailed

LONGEST_BUILD: Final = 600.0
"""Seconds after which a compiler is stopped: a module may run for ever when imported."""


@final
@attrs.frozen
class Recipe:
    """A build that has not been carried out."""

    does: str
    """For people, e.g. `building greeter.py with componentize-py 0.25.1`."""
    made_with: tuple[str, ...]
    """Everything besides `files` that changes what comes out."""
    files: dict[str, bytes]
    """What is read of the author's, by name."""
    make: Callable[[Path], None]
    """Writes the component to a path.

    Raises:
        BuildFailed: the source is wrong, or a tool is missing.
    """


def read_source(source: Path) -> bytes:
    """Read a source file.

    Raises:
        BuildFailed: it cannot be read.
    """
    try:
        return source.read_bytes()
    except OSError as error:
        msg = f"{source}: {error.strerror or error}"
        raise BuildFailed(msg) from error


def run_tool(
    command: Sequence[str], directory: Path, seconds: float = LONGEST_BUILD
) -> subprocess.CompletedProcess[str]:
    """Run a compiler and keep what it says; its exit status is the caller's to read.

    Raises:
        BuildFailed: it was still running after so many seconds, or did not start.
    """
    try:
        return subprocess.run(  # noqa: S603  # a compiler we looked up, and paths
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        msg = (
            f"{Path(command[0]).name} was stopped after {seconds:g} s;"
            " does the source run for ever while it is built?"
        )
        raise BuildFailed(msg) from expired
    except OSError as error:
        msg = f"{command[0]} cannot be run: {error.strerror or error}"
        raise BuildFailed(msg) from error
