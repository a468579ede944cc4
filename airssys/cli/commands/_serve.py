"""`airssys serve`: serves one component that handles requests of HTTP."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, cast

import attrs
import click
import trio

from airssys.cli.common import (
    Declared,
    as_checked,
    cache_option,
    check_kind,
    check_spec,
    find_declared,
    give_up,
    name_of,
    read_grant,
    read_limit,
    read_variable,
    say,
)
from airssys.contracts import (
    AirssysError,
    Artifact,
    Blueprint,
    ChildSpec,
    ComponentSpec,
    SupervisorSpec,
    UserCache,
    walk,
)
from airssys.dsl import blueprint, http_handler
from airssys.security import env, stderr, stdout
from airssys.security.audit import AuditLog
from airssys.system import System, run

if TYPE_CHECKING:
    from airssys.dsl import LimitValues

    Target = tuple[Declared, str] | Path

DEFAULT_PLACE = "127.0.0.1:8080"


def _read_target(
    context: click.Context, parameter: click.Parameter, value: str
) -> Target:
    """Take the path of a component's file, or find a topology and a name in it."""
    if value.endswith((".wasm", ".wat")):
        return Path(value)
    place, _colon, name = value.rpartition(":")
    if ":" not in place:
        text = f"{value!r} is not a handler: write MODULE:APP:NAME, or FILE.wasm"
        raise click.BadParameter(text)
    return find_declared(context, parameter, place), name


@click.command("serve")
@click.argument("target", metavar="TARGET", callback=_read_target)
@click.option("--listen", metavar="HOST:PORT", help=f"By default {DEFAULT_PLACE}.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="GRANT",
    help="Grant a file's component something, e.g. 'http https://api.example.com GET'.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of its environment.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="A limit of it, e.g. memory_bytes=268435456.",
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    help="How many requests an instance handles; by default 1.",
)
@cache_option
@click.option(
    "--audit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Record what it does and is denied in this file.",
)
def command(  # noqa: PLR0913  # the options of a command
    target: Target,
    *,
    listen: str | None,
    allowed: tuple[str, ...],
    variables: tuple[str, ...],
    limits: tuple[str, ...],
    keep: int | None,
    cache: Path | UserCache | None,
    audit: Path | None,
) -> None:
    """Serve a component that handles requests, until SIGINT or SIGTERM.

    TARGET is the .wasm or .wat file of a component that exports
    wasi:http/incoming-handler. It writes to the log, and has nothing else that --allow
    does not name. Or it is MODULE:APP:NAME, the handler NAME of a topology, which is run
    as it is declared; --listen and --keep come before what it declares.

    Exit status: 1 if the definition is wrong or the component is refused, 2 if the
    command line is wrong, 70 if it crashed too often, 130 after SIGINT, 143 after SIGTERM.
    """
    if isinstance(target, Path):
        spec = _spec(target, allowed, variables, limits)
        placed = _placed(spec, listen, keep)
        app = blueprint(placed)
    elif allowed or variables or limits:
        text = "--allow, --env and --limit are for a file: a topology declares them"
        raise click.UsageError(text)
    else:
        app, placed = _app(target, listen, keep)
    log = None if audit is None else AuditLog(audit)
    try:
        if isinstance(target, Path):
            check_kind(placed.artifact, "wasi:http/incoming-handler", "wasi:http/proxy")
        wait = functools.partial(_wait, placed.config.listen or "")
        run(app, wait, cache_directory=cache, log={"*": "info"}, audit=log)
    except (AirssysError, OSError) as error:
        give_up(error)


def _spec(
    path: Path,
    allowed: tuple[str, ...],
    variables: tuple[str, ...],
    limits: tuple[str, ...],
) -> ComponentSpec:
    """Declare the component of a file.

    Raises:
        click.BadParameter: there is no such file, or an option is not valid.
        SystemExit: what the options say is not valid; the mistakes were printed.
    """
    if not path.is_file():
        raise click.BadParameter(f"there is no file {path}", param_hint="TARGET")
    granted = [env(), stdout(), stderr(), *map(read_grant, allowed)]
    spec = http_handler(
        name_of(path, "handler"),
        Artifact.at(path.absolute()),
        env=dict(map(read_variable, variables)),
        can=granted,
        limits=cast("LimitValues", dict(map(read_limit, limits))),  # checked below
    )
    check_spec(spec)
    return spec


def _placed(spec: ComponentSpec, listen: str | None, keep: int | None) -> ComponentSpec:
    """Have a handler listen somewhere.

    Raises:
        SystemExit: that is not a place; the mistake was printed.
    """
    place = listen or spec.config.listen or DEFAULT_PLACE
    kept = spec.config.keep if keep is None else keep
    config = attrs.evolve(spec.config, listen=place, keep=kept, handles_http=True)
    placed = attrs.evolve(spec, config=config)
    check_spec(placed)
    return placed


def _app(
    target: tuple[Declared, str], listen: str | None, keep: int | None
) -> tuple[Blueprint, ComponentSpec]:
    """Have one component of a topology listen.

    Raises:
        click.BadParameter: it has no component of that name.
    """
    declared, name = target
    app = as_checked(declared)
    specs = [s for _, s in walk(app.root) if isinstance(s, ComponentSpec)]
    wanted = [
        each for each in specs if name in {each.id.name, each.id.text, str(each.id)}
    ]
    if len(wanted) != 1:
        names = ", ".join(str(each.id) for each in specs) or "no components"
        text = f"there is no component {name!r}; the topology has {names}"
        raise click.BadParameter(text, param_hint="TARGET")
    placed = _placed(wanted[0], listen, keep)
    root = _with(app.root, wanted[0], placed)
    return attrs.evolve(app, root=root), placed


def _with(
    above: SupervisorSpec, before: ComponentSpec, after: ComponentSpec
) -> SupervisorSpec:
    """Put a component in the place of another one."""
    children: list[ChildSpec] = []
    for child in above.children:
        if child is before:
            children.append(after)
        elif isinstance(child, SupervisorSpec):
            children.append(_with(child, before, after))
        else:
            children.append(child)
    return attrs.evolve(above, children=tuple(children))


async def _wait(place: str, system: System) -> None:
    del system
    say(f"listening at http://{place}; Ctrl-C stops the system", err=True)
    await trio.sleep_forever()
