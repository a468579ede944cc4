"""The functions and decorators that declare a topology."""

from airssys.contracts import missing_artifacts, renamed

from ._compile import compile_topology
from ._declarations import (
    ComponentDeclaration,
    DynamicDeclaration,
    PoolDeclaration,
    declaration_of,
)
from ._decorators import (
    ActorDecorator,
    ClassDecorator,
    actor,
    blueprint,
    component,
    http_handler,
    supervisor,
    topology,
)
from ._other_children import TaskDecorator, Template, dynamic_supervisor, task
from ._pool import PoolDecorator, pool
from ._vocabulary import (
    ActorOptions,
    BackoffValues,
    Code,
    ComponentOptions,
    DeclaredActorOptions,
    DeclaredComponentOptions,
    DeclaredPoolOptions,
    DynamicSupervisorOptions,
    Handler,
    HandlerObject,
    HealthValues,
    LimitValues,
    Name,
    PlainTaskOptions,
    PoolOptions,
    PoolSizeValues,
    QuotaValues,
    RestartWord,
    SupervisorOptions,
    TaskOptions,
    TopologyOptions,
)

__all__ = (
    "ActorDecorator",
    "ActorOptions",
    "BackoffValues",
    "ClassDecorator",
    "Code",
    "ComponentDeclaration",
    "ComponentOptions",
    "DeclaredActorOptions",
    "DeclaredComponentOptions",
    "DeclaredPoolOptions",
    "DynamicDeclaration",
    "DynamicSupervisorOptions",
    "Handler",
    "HandlerObject",
    "HealthValues",
    "LimitValues",
    "Name",
    "PlainTaskOptions",
    "PoolDeclaration",
    "PoolDecorator",
    "PoolOptions",
    "PoolSizeValues",
    "QuotaValues",
    "RestartWord",
    "SupervisorOptions",
    "TaskDecorator",
    "TaskOptions",
    "Template",
    "TopologyOptions",
    "actor",
    "blueprint",
    "compile_topology",
    "component",
    "declaration_of",
    "dynamic_supervisor",
    "http_handler",
    "missing_artifacts",
    "pool",
    "supervisor",
    "task",
    "topology",
)

__getattr__ = renamed(__name__, {"Behaviour": "HandlerObject"})
