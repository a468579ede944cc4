"""The words that a topology is declared in."""

from ._compile import compile_topology, missing_artifacts
from ._declarations import ComponentDeclaration, PoolDeclaration
from ._decorators import (
    ActorDecorator,
    ClassDecorator,
    actor,
    blueprint,
    component,
    supervisor,
    topology,
)
from ._pool import PoolDecorator, pool
from ._vocabulary import (
    ActorOptions,
    Behaviour,
    Code,
    ComponentOptions,
    DeclaredActorOptions,
    DeclaredComponentOptions,
    DeclaredPoolOptions,
    Handler,
    LimitValues,
    Name,
    PoolOptions,
    PoolSizeValues,
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
    "DeclaredPoolOptions",
    "Handler",
    "LimitValues",
    "Name",
    "PoolDeclaration",
    "PoolDecorator",
    "PoolOptions",
    "PoolSizeValues",
    "RestartWord",
    "SupervisorOptions",
    "TopologyOptions",
    "actor",
    "blueprint",
    "compile_topology",
    "component",
    "missing_artifacts",
    "pool",
    "supervisor",
    "topology",
)
