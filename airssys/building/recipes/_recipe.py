"""What one build reads, the tools it uses, and how it is run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, final

import attrs

from ._errors import BuildFailed

LONGEST_BUILD: Final = 600.0
"""Seconds after which a compiler is stopped; importing a module may never end."""


@final
@attrs.frozen
class Recipe:
    """A build that has not been run."""

    does: str
    """For people, e.g. `building greeter.py with componentize-py 0.25.1`."""
    made_with: tuple[str, ...]
    """Everything besides `files` that affects the result."""
    files: dict[str, bytes]
    """The author's files that are read, by name."""
    make: Callable[[Path], None]
    """Writes the component to a path.

    Raises:
        BuildFailed: The source is wrong, or a tool is missing.
    """
    stage: Stage | None = None
    """How it is built for development, if that is another way."""


@final
@attrs.frozen
class Stage:
    """A component without the author's own files, which are filled in afterwards.

    It is built once for all versions of these files.
    """

    recipe: Recipe
    fill: Callable[[bytes], bytes]
    """Makes the component from what was built."""


def read_source(source: Path) -> bytes:
    """Read a source file.

    Raises:
        BuildFailed: It cannot be read.
    """
    try:
        return source.read_bytes()
    except OSError as error:
        msg = f"{source}: {error.strerror or error}"
        raise BuildFailed(msg) from error


def run_tool(
    command: Sequence[str],
    directory: Path,
    seconds: float = LONGEST_BUILD,
    *,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a compiler and capture its output; the caller checks its exit status.

    Args:
        command: The program and its arguments.
        directory: Where it runs.
        seconds: After which it is stopped.
        env: Variables that it gets besides those of this process.

    Raises:
        BuildFailed: It was still running after that many seconds, or did not start.
    """
    try:
        return subprocess.run(  # noqa: S603  # a compiler we looked up, and paths
            command,
            cwd=directory,
            env={**os.environ, **(env or {})},
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
