"""From a template and arguments to the specification of one child. Pure."""

from __future__ import annotations

import attrs

from airssys.contracts import (
    ActorSpec,
    ChildSpec,
    ComponentId,
    ComponentSpec,
    Mistake,
    TaskSpec,
)


def stem_of(template: ActorSpec | ComponentSpec) -> str:
    """Return what the names of all children of a template begin as."""
    return f"{template.id.namespace}/{template.id.name}/"


def made_from(
    template: ActorSpec | ComponentSpec, number: int, arguments: tuple[object, ...]
) -> ActorSpec | ComponentSpec | Mistake:
    """Make the specification of one child, or say what is wrong with its arguments.

    A Python actor is given the template's arguments and then these. A component takes
    at most one, its `config-data`, in place of the template's.
    """
    namespace, name = template.id.namespace, template.id.name
    own_id = ComponentId(namespace, name, str(number))
    if isinstance(template, ActorSpec):
        both = template.arguments + arguments
        return attrs.evolve(template, id=own_id, arguments=both)
    match arguments:
        case ():
            return attrs.evolve(template, id=own_id)
        case (bytes() as data,):
            config = attrs.evolve(template.config, data=data)
            return attrs.evolve(template, id=own_id, config=config)
        case _:
            hint = "give nothing, or its config-data as bytes"
            return Mistake("$.arguments", f"{arguments!r:.80} for a component", hint)


def remade_from(template: ActorSpec | ComponentSpec, present: ChildSpec) -> ChildSpec:
    """Apply a changed template to a child; its name and arguments stay."""
    if isinstance(template, ActorSpec) and isinstance(present, ActorSpec):
        own = present.arguments
        return attrs.evolve(template, id=present.id, arguments=own)
    if isinstance(template, ComponentSpec) and isinstance(present, ComponentSpec):
        return attrs.evolve(template, id=present.id, config=present.config)
    return present


def without_arguments(spec: ChildSpec) -> ChildSpec:
    """Return a specification that holds on to no arguments."""
    if isinstance(spec, (ActorSpec, TaskSpec)) and spec.arguments:
        return attrs.evolve(spec, arguments=())
    return spec
