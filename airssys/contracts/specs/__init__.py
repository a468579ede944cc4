"""Specifications of children."""

from ._health import Health, health_mistakes, worst_health
from ._origin import Origin, guarded, place_mistakes
from ._pool import MAX_MEMBERS, KeyFunction, PoolMember, PoolSize, PoolStatus, Routing
from ._specs import (
    CHILD_SPECS,
    DEFAULT_MAILBOX,
    NAMED_SPECS,
    SUPERVISOR_SPECS,
    ActorSpec,
    ChildSpec,
    ComponentSpec,
    DynamicSupervisorSpec,
    PoolSpec,
    Shutdown,
    SupervisorSpec,
    TaskSpec,
    child_name,
)
from ._topic import (
    MAX_TOPIC_CHARACTERS,
    MAX_TOPIC_SEGMENTS,
    ONE,
    REST,
    read_pattern,
    read_topic,
)

__all__ = (
    "CHILD_SPECS",
    "DEFAULT_MAILBOX",
    "MAX_MEMBERS",
    "MAX_TOPIC_CHARACTERS",
    "MAX_TOPIC_SEGMENTS",
    "NAMED_SPECS",
    "ONE",
    "REST",
    "SUPERVISOR_SPECS",
    "ActorSpec",
    "ChildSpec",
    "ComponentSpec",
    "DynamicSupervisorSpec",
    "Health",
    "KeyFunction",
    "Origin",
    "PoolMember",
    "PoolSize",
    "PoolSpec",
    "PoolStatus",
    "Routing",
    "Shutdown",
    "SupervisorSpec",
    "TaskSpec",
    "child_name",
    "guarded",
    "health_mistakes",
    "place_mistakes",
    "read_pattern",
    "read_topic",
    "worst_health",
)
