"""What the commands that load components share."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ._say import say, say_lines
from ._target import EXIT_MISTAKES

if TYPE_CHECKING:
    from collections.abc import Callable

    from airssys.system import LoaderOpener


def _default_cache() -> Path | None:
    from airssys.wasm import user_cache_directory  # noqa: PLC0415  # only if it is used

    try:
        return user_cache_directory()
    except FileNotFoundError as error:
        say(f"compiled components will not be cached: {error}", err=True)
        return None


def cache_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--cache DIRECTORY` to a command."""
    option = click.option(
        "--cache",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        default=_default_cache,
        show_default="your own",
        help="Directory for compiled components. Only you may have access to it.",
    )
    return option(command)


def loader_opener(cache: Path | None) -> LoaderOpener:
    """Open the engine, with a directory for compiled components."""
    from airssys.wasm import open_runtime  # noqa: PLC0415  # only if something is loaded

    return functools.partial(open_runtime, cache_directory=cache)


def give_up(error: Exception) -> NoReturn:
    """Print an error and the notes on it, and end the program."""
    for line in (str(error), *getattr(error, "__notes__", ())):
        say_lines(line)
    sys.exit(EXIT_MISTAKES)
