"""`airssys run`: runs a system as a program."""

from __future__ import annotations

from pathlib import Path

import click
import trio

from airssys.cli.common import (
    Declared,
    as_checked,
    cache_option,
    find_declared,
    give_up,
    say,
)
from airssys.contracts import AirssysError, UserCache
from airssys.security.audit import AuditLog
from airssys.system import System, check_log_levels, run

from ._run_program import Order, is_component_file, run_program


def _read_target(
    context: click.Context, parameter: click.Parameter, value: str
) -> Declared | Path:
    """Find a topology, or take the path of a component's file as it is."""
    if is_component_file(value):
        return Path(value)
    return find_declared(context, parameter, value)


@click.command("run")
@click.argument("target", metavar="TARGET", callback=_read_target)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="GRANT",
    help="Grant a program something, e.g. 'read /data', 'write /out at=build', 'random'.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of a program's environment.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="A limit of a program, e.g. memory_bytes=268435456.",
)
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
def command(  # noqa: PLR0913  # the options of a command
    target: Declared | Path,
    *,
    arguments: tuple[str, ...],
    allowed: tuple[str, ...],
    variables: tuple[str, ...],
    limits: tuple[str, ...],
    cache: Path | UserCache | None,
    audit: Path | None,
    verbose: int,
    levels: tuple[str, ...],
) -> None:
    """Run a topology until SIGINT or SIGTERM; or a program to its end.

    TARGET is MODULE:NAME, a topology or blueprint; MODULE may be path/to/file.py. Or it is
    the .wasm or .wat file of a program, a component that exports wasi:cli/run. What follows
    -- are the program's arguments. It has the standard streams, and nothing else that
    --allow does not name.

    Exit status: that of a program; 1 if the definition is wrong or a component is refused,
    2 if the command line is wrong, 70 if a program was stopped, the root gave up or a child
    did not become ready, 130 after SIGINT, 143 after SIGTERM.
    """
    log = _log_levels(verbose, levels)
    audit_log = None if audit is None else AuditLog(audit)
    if isinstance(target, Path):
        order = (target, arguments, allowed, variables, limits, cache, log, audit_log)
        run_program(Order(*order))
        return
    if arguments or allowed or variables or limits:
        raise click.UsageError(
            "arguments, --allow, --env and --limit are for a program, a .wasm or .wat "
            "file: a topology declares what its components get"
        )
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
