"""The words that a topology is declared in."""

from ._builders import actor, blueprint, component, supervisor

__all__ = ("actor", "blueprint", "component", "supervisor")
