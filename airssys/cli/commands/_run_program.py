"""Runs one component that is a program (`wasi:cli/run`), supervised like any child."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import attrs
import click

from airssys.cli.common import (
    check_kind,
    check_spec,
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
    ChildExited,
    ComponentRefused,
    ComponentSpec,
    ExitKind,
    ExitReason,
    GuestTrapped,
    Started,
    UserCache,
)
from airssys.dsl import blueprint, component, dynamic_supervisor
from airssys.security import arguments, env, stderr, stdin, stdout
from airssys.security.audit import AuditLog
from airssys.system import EXIT_GAVE_UP, EXIT_REFUSED, System, run

if TYPE_CHECKING:
    from airssys.dsl import LimitValues
    from airssys.security import Grant

_DAY: Final = 86_400
"""Seconds that a program may compute: as long as the command that runs it."""


@attrs.frozen
class Order:
    """What a command line says about a program."""

    path: Path
    arguments: tuple[str, ...]
    allowed: tuple[str, ...]
    variables: tuple[str, ...]
    limits: tuple[str, ...]
    cache: Path | UserCache | None
    log: dict[str, str]
    audit: AuditLog | None


def is_component_file(text: str) -> bool:
    """Whether a target is the file of a component, and not a topology."""
    return text.endswith((".wasm", ".wat"))


def run_program(order: Order) -> None:
    """Run it, and end with its status.

    Raises:
        SystemExit: always.
        click.BadParameter: an option is not valid.
    """
    artifact = Artifact.at(order.path.absolute())
    if not order.path.is_file():
        raise click.BadParameter(f"there is no file {order.path}", param_hint="TARGET")
    spec = _spec(order, artifact)
    check_spec(spec)
    try:
        check_kind(artifact, "wasi:cli/run", "wasi:cli/command")
        status = run(
            blueprint(dynamic_supervisor("programs")),
            partial(_run, spec),
            cache_directory=order.cache,
            log=order.log,
            audit=order.audit,
        )
    except (AirssysError, PermissionError) as error:  # the last one: of the cache
        give_up(error)
    sys.exit(status)


def _spec(order: Order, artifact: Artifact) -> ComponentSpec:
    """Declare the program.

    Raises:
        click.BadParameter: an option is not valid.
    """
    variables = dict(read_variable(text) for text in order.variables)
    granted: list[Grant] = [arguments(), env(), stdin(), stdout(), stderr()]
    granted += [read_grant(text) for text in order.allowed]
    values = {"execution_time": _DAY} | dict(read_limit(text) for text in order.limits)
    limits = cast("LimitValues", values)  # checked with the rest
    name = name_of(order.path, "program")
    return component(
        name,
        artifact,
        arguments=order.arguments,
        env=variables,
        can=granted,
        limits=limits,
        restart="temporary",
        passes_stdio=True,
    )


async def _run(spec: ComponentSpec, system: System) -> int:
    """Run it to its end; returns the exit status of the command."""
    with system.events() as events:
        answer = await system.supervisor("root/programs").start_child(spec)
        if not isinstance(answer, Started):
            return _say_refused(answer)
        async for event in events:
            if isinstance(event, ChildExited) and event.child == spec.id.text:
                return _status(event.reason)
    return EXIT_GAVE_UP


def _say_refused(answer: object) -> int:
    """Say why it was not started; returns the exit status."""
    reason = getattr(answer, "reason", None)
    error = reason.error if isinstance(reason, ExitReason) else None
    say(str(error or answer), err=True)
    return EXIT_REFUSED if isinstance(error, ComponentRefused) else EXIT_GAVE_UP


def _status(reason: ExitReason) -> int:
    error = reason.error
    if reason.kind in {ExitKind.NORMAL, ExitKind.SHUTDOWN}:
        return 0
    if isinstance(error, GuestTrapped) and error.status is not None:
        return error.status
    say(str(error), err=True)
    return EXIT_GAVE_UP
