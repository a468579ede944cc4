"""`airssys tree`: draws what a definition declares as text."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click

from airssys.cli.common import Declared, as_checked, say, target_argument
from airssys.contracts import (
    ActorSpec,
    ChildSpec,
    ComponentId,
    ComponentSpec,
    DynamicSupervisorSpec,
    PoolSize,
    PoolSpec,
    RestartType,
    SupervisorSpec,
    TaskSpec,
    child_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@click.command("tree")
@target_argument
def command(target: Declared) -> None:
    """Draw the tree that a topology declares. Children start from top to bottom.

    MODULE:NAME is a topology or blueprint; MODULE may be path/to/file.py.

    Exit status: 1 if the definition is wrong, 2 if the command line is wrong.
    """
    for line in _lines(as_checked(target).root, "", ""):
        say(line)


def _lines(spec: ChildSpec, first: str, rest: str) -> Iterator[str]:
    yield first + _describe(spec) + _quotas_of(spec)
    if isinstance(spec, SupervisorSpec):
        for index, child in enumerate(spec.children, 1):
            is_last = index == len(spec.children)
            branch, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            yield from _lines(child, rest + branch, rest + below)


def _describe(spec: ChildSpec) -> str:
    match spec:
        case SupervisorSpec(name=name, intensity=allowed):
            strategy = spec.strategy.value.replace("_", "-")
            within = f"{allowed.restarts} restarts in {allowed.period:g} s"
            text = f"{name} (supervisor) {strategy}, {within}"
        case DynamicSupervisorSpec(name=name, template=template):
            made = "any" if template is None else child_name(template)
            text = f"{name} (dynamic supervisor) of {made}"
        case PoolSpec(id=identity, size=size, routing=routing):
            if isinstance(size, PoolSize):
                many = f"{size.minimum} to {size.maximum}"
            else:
                many = str(size)
            member = _describe(spec.template)
            text = f"{_short(identity)} (pool) {routing.value}, {many} of {member}"
        case TaskSpec(name=name, function=function):
            text = f"{name} (task) {_named(function)}"
        case ComponentSpec(id=identity, artifact=artifact):
            text = f"{_short(identity)} (component) {artifact.label}"
        case ActorSpec(id=identity, behaviour=behaviour):
            text = f"{_short(identity)} (actor) {_named(behaviour)}"
    is_default = spec.restart is RestartType.PERMANENT
    return text if is_default else f"{text}, {spec.restart.value}"


def _quotas_of(spec: ChildSpec) -> str:
    """Name the quotas that are declared, and not those that are there by themselves."""
    quotas = None if isinstance(spec, TaskSpec) else spec.quotas
    named = {} if quotas is None else quotas.named
    return "".join(f", {name} {quota}" for name, quota in named.items())


def _named(behaviour: Callable[..., object]) -> str:
    code = inspect.unwrap(behaviour)
    module = getattr(code, "__module__", None) or "?"
    shown = getattr(code, "__qualname__", type(code).__qualname__)
    return f"{module}.{shown}"


def _short(identity: ComponentId) -> str:
    """Leave out the parts that `name` alone implies."""
    alone = ComponentId("local", identity.name)
    return identity.name if identity == alone else str(identity)
