"""Runs one component that is a program (`wasi:cli/run`), supervised like any child."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import attrs
import click

from airssys.cli.common import EXIT_MISTAKES, give_up, read_grant_words, say
from airssys.contracts import (
    AirssysError,
    Artifact,
    ChildExited,
    ComponentRefused,
    ComponentSpec,
    EngineSettings,
    ExitKind,
    ExitReason,
    GuestTrapped,
    Started,
    UserCache,
    as_blueprint,
    find_all_mistakes,
)
from airssys.dsl import blueprint, component, dynamic_supervisor
from airssys.security import arguments, env, stderr, stdin, stdout
from airssys.security.audit import AuditLog
from airssys.security.policies import grant_mistakes
from airssys.system import EXIT_GAVE_UP, System, run
from airssys.wasm import exports_of

if TYPE_CHECKING:
    from airssys.dsl import LimitValues
    from airssys.security import Grant

_DAY: Final = 86_400
"""Seconds that a program may compute: as long as the command that runs it."""
_KINDS: Final = (
    (
        "airssys:core/component-lifecycle@",
        "the component of an actor: name it in a topology, and run that",
    ),
    (
        "wasi:http/incoming-handler@",
        "a handler of HTTP requests, which is served and not run",
    ),
)


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
    _check(spec)
    try:
        _check_kind(artifact)
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


def _check(spec: ComponentSpec) -> None:
    """See that what the command line says is valid.

    Raises:
        SystemExit: it is not; all mistakes were printed.
    """
    mistakes = find_all_mistakes(as_blueprint(blueprint(spec)), grant_mistakes)
    for each in mistakes:
        say(f"{each.found} ({each.hint})" if each.hint else each.found, err=True)
    if mistakes:
        sys.exit(EXIT_MISTAKES)


def _check_kind(artifact: Artifact) -> None:
    """See that it is a program.

    Raises:
        ComponentRefused: it is something else.
    """
    names = exports_of(artifact, EngineSettings())
    if any(name.startswith("wasi:cli/run@0.2.") for name in names):
        return
    for beginning, what in _KINDS:
        if any(name.startswith(beginning) for name in names):
            raise ComponentRefused(
                artifact.label, "it is not a program", f"It is {what}"
            )
    shown = ", ".join(names[:5]) or "nothing"
    raise ComponentRefused(
        artifact.label,
        f"it does not export wasi:cli/run, but {shown}",
        "Build it for the world wasi:cli/command, or call it from Python by load_any",
    )


def _spec(order: Order, artifact: Artifact) -> ComponentSpec:
    """Declare the program.

    Raises:
        click.BadParameter: an option is not valid.
    """
    variables = dict(_variable(text) for text in order.variables)
    granted: list[Grant] = [arguments(), env(), stdin(), stdout(), stderr()]
    granted += [_granted(text) for text in order.allowed]
    values = {"execution_time": _DAY} | dict(_limit(text) for text in order.limits)
    limits = cast("LimitValues", values)  # checked with the rest
    name = re.sub(r"[^a-z0-9]+", "-", order.path.stem.lower()).strip("-") or "program"
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


def _granted(text: str) -> Grant:
    try:
        return read_grant_words(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--allow") from None


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        problem = f"{text!r} is not a variable: write NAME=VALUE"
        raise click.BadParameter(problem, param_hint="--env")
    return name, value


def _limit(text: str) -> tuple[str, float]:
    name, _equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        problem = f"{text!r} is not a limit: write NAME=NUMBER"
        raise click.BadParameter(problem, param_hint="--limit") from None
    return name, int(number) if number.is_integer() else number


async def _run(spec: ComponentSpec, system: System) -> int:
    """Run it to its end; returns the exit status of the command."""
    with system.events() as events:
        answer = await system.supervisor("root/programs").start_child(spec)
        if not isinstance(answer, Started):
            _say_refused(answer)
            return EXIT_GAVE_UP
        async for event in events:
            if isinstance(event, ChildExited) and event.child == spec.id.text:
                return _status(event.reason)
    return EXIT_GAVE_UP


def _say_refused(answer: object) -> None:
    reason = getattr(answer, "reason", None)
    error = reason.error if isinstance(reason, ExitReason) else None
    say(str(error or answer), err=True)


def _status(reason: ExitReason) -> int:
    error = reason.error
    if reason.kind in {ExitKind.NORMAL, ExitKind.SHUTDOWN}:
        return 0
    if isinstance(error, GuestTrapped) and error.status is not None:
        return error.status
    say(str(error), err=True)
    return EXIT_GAVE_UP
