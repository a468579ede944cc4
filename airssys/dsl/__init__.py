"""The words that a topology is declared in."""

from ._builders import (
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    supervisor,
    task,
)

__all__ = (
    "actor",
    "blueprint",
    "component",
    "dynamic_supervisor",
    "supervisor",
    "task",
)
