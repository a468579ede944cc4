"""`airssys run`: a system as a program of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import trio

from airssys.cli.common import (
    Declared,
    as_checked,
    cache_option,
    give_up,
    say,
    target_argument,
)
from airssys.contracts import AirssysError
from airssys.system import System, run

if TYPE_CHECKING:
    from pathlib import Path


@click.command("run")
@target_argument
@cache_option
def command(target: Declared, *, cache: Path | None) -> None:
    """Run a topology until SIGINT or SIGTERM comes; the tree then stops in order.

    MODULE:NAME is a topology or blueprint; MODULE may be path/to/file.py.

    Exit status: 1 if the definition is wrong or a component is refused, 2 if the
    command is wrong, 70 if the root gave up or a child did not become ready, 130 after
    SIGINT, 143 after SIGTERM.
    """
    blueprint = as_checked(target)
    try:
        run(blueprint, _serve, cache_directory=cache)
    except (
        AirssysError,
        PermissionError,
    ) as error:  # the latter of the cache directory
        give_up(error)


async def _serve(system: System) -> None:
    actors = sum(node.kind != "supervisor" for node in system.tree().walk())
    text = f"{actors} actor{'s' * (actors != 1)} ready; Ctrl-C stops the system"
    say(text, err=True)
    await trio.sleep_forever()
