"""What a command line says about one component: grants, variables, limits."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import click

from airssys.contracts import (
    ComponentRefused,
    ComponentSpec,
    EngineSettings,
    as_blueprint,
    find_all_mistakes,
)
from airssys.dsl import blueprint
from airssys.security.policies import grant_mistakes
from airssys.wasm import exports_of

from ._say import say
from ._target import EXIT_MISTAKES
from ._words import read_grant_words

if TYPE_CHECKING:
    from pathlib import Path

    from airssys.contracts import Artifact
    from airssys.security import Grant

_KINDS: Final = {
    "wasi:cli/run@0.2.": ("a program", "run it by airssys run"),
    "wasi:http/incoming-handler@0.2.": (
        "a handler of HTTP requests",
        "serve it by airssys serve",
    ),
    "airssys:core/component-lifecycle@": (
        "the component of an actor",
        "name it in a topology, and run that",
    ),
}
"""By the beginning of an export: what a component is that has it, and what to do with it."""
_SHOWN: Final = 5


def check_kind(artifact: Artifact, wanted: str, world: str) -> None:
    """See that a component exports what a command needs.

    Args:
        artifact: the component.
        wanted: the interface, such as `wasi:cli/run`.
        world: what to build it for otherwise.

    Raises:
        ComponentRefused: it is something else; says what.
    """
    names = exports_of(artifact, EngineSettings())
    kinds = [k for k in _KINDS if any(name.startswith(k) for name in names)]
    if any(kind.startswith(wanted) for kind in kinds):
        return
    (needed,) = (what for kind, (what, _) in _KINDS.items() if kind.startswith(wanted))
    problem = f"it is not {needed}"
    for kind in kinds:
        what, then = _KINDS[kind]
        raise ComponentRefused(artifact.label, problem, f"It is {what}: {then}")
    interfaces_first = sorted(names, key=lambda name: "/" not in name)
    shown = ", ".join(interfaces_first[:_SHOWN]) or "nothing"
    raise ComponentRefused(
        artifact.label,
        f"it does not export {wanted}, but {shown}",
        f"Build it for the world {world}, or call it from Python by load_any",
    )


def name_of(path: Path, otherwise: str) -> str:
    """Make the name of an actor from that of a file."""
    return re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or otherwise


def check_spec(spec: ComponentSpec) -> None:
    """See that what the command line says is valid.

    Raises:
        SystemExit: it is not; all mistakes were printed.
    """
    mistakes = find_all_mistakes(as_blueprint(blueprint(spec)), grant_mistakes)
    for each in mistakes:
        say(f"{each.found} ({each.hint})" if each.hint else each.found, err=True)
    if mistakes:
        sys.exit(EXIT_MISTAKES)


def read_grant(text: str) -> Grant:
    """Read `--allow`.

    Raises:
        click.BadParameter: it is not a grant.
    """
    try:
        return read_grant_words(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--allow") from None


def read_variable(text: str) -> tuple[str, str]:
    """Read `--env NAME=VALUE`.

    Raises:
        click.BadParameter: it is something else.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        problem = f"{text!r} is not a variable: write NAME=VALUE"
        raise click.BadParameter(problem, param_hint="--env")
    return name, value


def read_limit(text: str) -> tuple[str, float]:
    """Read `--limit NAME=NUMBER`.

    Raises:
        click.BadParameter: it is something else.
    """
    name, _equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        problem = f"{text!r} is not a limit: write NAME=NUMBER"
        raise click.BadParameter(problem, param_hint="--limit") from None
    return name, int(number) if number.is_integer() else number
