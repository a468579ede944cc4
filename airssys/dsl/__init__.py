"""The words that a topology is declared in."""

from ._compile import compile_topology, missing_artifacts
from ._declarations import ComponentDeclaration
from ._decorators import (
    ActorDecorator,
    ClassDecorator,
    actor,
    blueprint,
    component,
    supervisor,
    topology,
)
from ._vocabulary import (
    ActorOptions,
    Behaviour,
    Code,
    ComponentOptions,
    DeclaredActorOptions,
    DeclaredComponentOptions,
    Handler,
    LimitValues,
    Name,
    RestartWord,
    SupervisorOptions,
    TopologyOptions,
)

__all__ = (
    "ActorDecorator",
    "ActorOptions",
    "Behaviour",
    "ClassDecorator",
    "Code",
    "ComponentDeclaration",
    "ComponentOptions",
    "DeclaredActorOptions",
    "DeclaredComponentOptions",
    "Handler",
    "LimitValues",
    "Name",
    "RestartWord",
    "SupervisorOptions",
    "TopologyOptions",
    "actor",
    "blueprint",
    "compile_topology",
    "component",
    "missing_artifacts",
    "supervisor",
    "topology",
)
