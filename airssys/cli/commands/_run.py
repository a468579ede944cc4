"""`airssys run`: runs a system as a program."""

from __future__ import annotations

from pathlib import Path

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
from airssys.contracts import AirssysError, UserCache
from airssys.security.audit import AuditLog
from airssys.system import System, check_log_levels, run


@click.command("run")
@target_argument
@cache_option
@click.option(
    "-v", "--verbose", count=True, help="Log what happens; -vv: every detail."
)
@click.option(
    "--log-level",
    "levels",
    multiple=True,
    metavar="[ACTOR=]LEVEL",
    help="Log from trace, debug, info, warning or error on; for one actor, or for all.",
)
@click.option(
    "--audit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Record what restricted actors do and are denied in this file.",
)
def command(
    target: Declared,
    *,
    cache: Path | UserCache | None,
    audit: Path | None,
    verbose: int,
    levels: tuple[str, ...],
) -> None:
    """Run a topology until SIGINT or SIGTERM; then stop the tree in order.

    MODULE:NAME is a topology or blueprint; MODULE may be path/to/file.py.

    Exit status: 1 if the definition is wrong or a component is refused, 2 if the
    command line is wrong, 70 if the root gave up or a child did not become ready, 130
    after SIGINT, 143 after SIGTERM.
    """
    log = _log_levels(verbose, levels)
    audit_log = None if audit is None else AuditLog(audit)
    blueprint = as_checked(target)
    try:
        run(blueprint, _serve, cache_directory=cache, log=log, audit=audit_log)
    except (
        AirssysError,
        PermissionError,
    ) as error:  # the last one is about the cache directory
        give_up(error)


def _log_levels(verbose: int, levels: tuple[str, ...]) -> dict[str, str]:
    """Parse the log levels.

    Raises:
        click.BadParameter: a level, or the name of an actor, is not valid.
    """
    found = {"*": ("warning", "info", "debug")[min(verbose, 2)]}
    for text in levels:
        actor, _equals, level = text.rpartition("=")
        found[actor or "*"] = level
    try:
        check_log_levels(found)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--log-level") from error
    return found


async def _serve(system: System) -> None:
    actors = sum(node.kind != "supervisor" for node in system.tree().walk())
    text = f"{actors} actor{'s' * (actors != 1)} ready; Ctrl-C stops the system"
    say(text, err=True)
    await trio.sleep_forever()
