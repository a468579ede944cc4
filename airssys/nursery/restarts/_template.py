"""From a template and arguments to the specification of one child. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

import attrs

from airssys.contracts import (
    ActorSpec,
    ChildSpec,
    ComponentId,
    ComponentSpec,
    Mistake,
    PoolSpec,
    RestartType,
    SupervisorSpec,
    TaskSpec,
)

Template: TypeAlias = ActorSpec | ComponentSpec | SupervisorSpec
"""What the children of a dynamic supervisor are made from."""


class _LetGo(tuple[object, ...]):
    """No arguments, in place of some."""

    __slots__ = ()


_LET_GO: Final = _LetGo()


def stem_of(template: Template) -> str:
    """Return what the names of all children of a template begin as."""
    if isinstance(template, SupervisorSpec):
        return f"{template.name}-"
    return f"{template.id.namespace}/{template.id.name}/"


def made_from(
    template: Template, number: int, arguments: tuple[object, ...]
) -> Template | Mistake:
    """Make the specification of one child, or say what is wrong with its arguments.

    A Python actor is given the template's arguments and then these; of a supervisor,
    all Python actors below it are. A component takes at most one, its `config-data`, in
    place of the template's.
    """
    match template, arguments:
        case SupervisorSpec(), _:
            if arguments and not _takes_arguments(template):
                hint = "give nothing, or put a Python actor into the template"
                text = f"{arguments!r:.80} for a supervisor of no Python actor"
                return Mistake("$.arguments", text, hint)
            own = _numbered(template, number, arguments)
            return attrs.evolve(own, name=f"{stem_of(template)}{number}")
        case ActorSpec(), _:
            both = template.arguments + arguments
            return attrs.evolve(template, id=_own_id(template, number), arguments=both)
        case ComponentSpec(), ():
            return attrs.evolve(template, id=_own_id(template, number))
        case ComponentSpec(), (bytes() as data,):
            config = attrs.evolve(template.config, data=data)
            return attrs.evolve(template, id=_own_id(template, number), config=config)
        case _:
            hint = "give nothing, or its config-data as bytes"
            return Mistake("$.arguments", f"{arguments!r:.80} for a component", hint)


def remade_from(template: Template, present: ChildSpec) -> ChildSpec:
    """Apply a changed template to a child; its name and arguments stay.

    Of a supervisor its own rules change, and its children stay. A child whose arguments
    were let go stays one that is never started again.
    """
    if isinstance(template, ActorSpec) and isinstance(present, ActorSpec):
        own, changed = present.arguments, template
        if own is _LET_GO:
            once, on_error = RestartType.TEMPORARY, present.on_error
            changed = attrs.evolve(changed, restart=once, on_error=on_error)
        return attrs.evolve(changed, id=present.id, arguments=own)
    if isinstance(template, ComponentSpec) and isinstance(present, ComponentSpec):
        return attrs.evolve(template, id=present.id, config=present.config)
    if isinstance(template, SupervisorSpec) and isinstance(present, SupervisorSpec):
        return attrs.evolve(template, name=present.name, children=present.children)
    return present


def _own_id(template: ActorSpec | ComponentSpec, number: int) -> ComponentId:
    return ComponentId(template.id.namespace, template.id.name, str(number))


def _numbered(
    group: SupervisorSpec, number: int, arguments: tuple[object, ...]
) -> SupervisorSpec:
    """Give all below a supervisor names of their own; others may be made like it."""
    children = (_numbered_child(child, number, arguments) for child in group.children)
    return attrs.evolve(group, children=tuple(children))


def _numbered_child(
    child: ChildSpec, number: int, arguments: tuple[object, ...]
) -> ChildSpec:
    match child:
        case SupervisorSpec():
            return _numbered(child, number, arguments)
        case ActorSpec():
            both = child.arguments + arguments
            return attrs.evolve(child, id=_below(child.id, f"{number}"), arguments=both)
        case ComponentSpec():
            return attrs.evolve(child, id=_below(child.id, f"{number}"))
        case PoolSpec():  # a number is a member's
            return attrs.evolve(child, id=_below(child.id, f"of-{number}"))
        case _:  # has no name that others know, or makes them by itself
            return child


def _below(own: ComponentId, mark: str) -> ComponentId:
    instance = mark if own.instance == "0" else f"{mark}-{own.instance}"
    return ComponentId(own.namespace, own.name, instance)


def _takes_arguments(group: SupervisorSpec) -> bool:
    return any(
        isinstance(child, ActorSpec)
        or (isinstance(child, SupervisorSpec) and _takes_arguments(child))
        for child in group.children
    )


def without_arguments(spec: ChildSpec) -> ChildSpec:
    """Return a specification that holds on to no arguments."""
    if isinstance(spec, (ActorSpec, TaskSpec)) and spec.arguments:
        return attrs.evolve(spec, arguments=_LET_GO)
    return spec
