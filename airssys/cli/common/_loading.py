"""What the commands that load components share."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar, TypeVarTuple, Unpack

import click
import trio

from airssys.contracts import USER_CACHE, UserCache, is_wholly

from ._say import say, say_lines
from ._target import EXIT_MISTAKES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.system import LoaderOpener


_T = TypeVar("_T")
_Arguments = TypeVarTuple("_Arguments")


def cache_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--cache DIRECTORY` and `--no-cache` to a command, which is given `cache`."""

    @click.option(
        "--cache",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        show_default="your own",
        help="Directory for compiled components. Only you may have access to it.",
    )
    @click.option("--no-cache", is_flag=True, help="Keep no compiled components.")
    @functools.wraps(command)
    def with_cache(
        *arguments: object, cache: Path | None, no_cache: bool, **options: object
    ) -> None:
        if no_cache and cache is not None:
            raise click.UsageError("give --cache or --no-cache, not both")
        chosen = None if no_cache else cache or USER_CACHE
        command(*arguments, cache=chosen, **options)

    return with_cache


def loader_opener(cache: Path | UserCache | None) -> LoaderOpener:
    """Open the engine, with a directory for compiled components."""
    from airssys.wasm import open_runtime  # noqa: PLC0415  # only if something is loaded

    report = functools.partial(say, err=True)
    return functools.partial(open_runtime, cache_directory=cache, report=report)


def run_async(
    function: Callable[[Unpack[_Arguments]], Awaitable[_T]],
    *arguments: *_Arguments,
) -> _T:
    """Run an async function under Trio; Ctrl-C comes out of it as itself.

    Raises:
        KeyboardInterrupt: also if a nursery has wrapped it.
    """
    try:
        return trio.run(function, *arguments)
    except BaseExceptionGroup as group:
        if is_wholly(group, KeyboardInterrupt):
            raise KeyboardInterrupt from group
        raise


def give_up(error: Exception) -> NoReturn:
    """Print an error and the notes on it, and end the program."""
    for line in (str(error), *getattr(error, "__notes__", ())):
        say_lines(line)
    sys.exit(EXIT_MISTAKES)
