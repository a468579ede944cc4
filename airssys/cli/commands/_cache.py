"""`airssys cache list` and `airssys cache clear`: components compiled before."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airssys.cli.common import escaped, say
from airssys.contracts import EngineSettings
from airssys.wasm import CacheEntry, clear_cache, list_cache, user_cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

_directory = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=user_cache_directory,
    show_default="airssys/compiled in $XDG_CACHE_HOME or ~/.cache",
    help="The cache directory.",
)


@click.group()
def command() -> None:
    """List or clear compiled components."""


@command.command("list")
@_directory
def list_entries(directory: Path) -> None:
    """List the compiled components, the most recently used first."""
    with _told_plainly(directory):
        entries = list_cache(directory, EngineSettings())
    if not entries:
        say(f"there are no compiled components in {directory}")
        return
    now = time.time()  # noqa: TID251  # files have wall clock times
    say(f"{'component':16}  {'size':>12}  {'last used':>12}  made from")
    for entry in entries:
        digest = (entry.digest or "?")[:16]
        age = _age(now - entry.used_at)
        say(f"{digest:16}  {entry.size:>12,}  {age:>12}  {_origin(entry)}")
    total = sum(entry.size for entry in entries)
    say(f"{len(entries)} components, {total:,} bytes in {directory}")


@command.command("clear")
@_directory
def clear(directory: Path) -> None:
    """Remove every compiled component, and no other file."""
    with _told_plainly(directory):
        entries, size = clear_cache(directory)
    say(f"removed {entries} components, {size:,} bytes, from {directory}")


@contextmanager
def _told_plainly(directory: Path) -> Iterator[None]:
    """Turn an error of the operating system into a message without a traceback."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(escaped(f"{directory}: {reason}")) from error


def _origin(entry: CacheEntry) -> str:
    if entry.label is None:
        return "not written by you, and never used"
    return entry.label if entry.is_current else f"{entry.label} (other version)"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 1 else "just now"
