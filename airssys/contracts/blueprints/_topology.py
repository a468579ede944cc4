"""What may be passed as a blueprint: a blueprint, or a class that makes one."""

from __future__ import annotations

import inspect
from typing import Final

from airssys.contracts.errors import DefinitionError, Mistake

from ._blueprint import Blueprint

BLUEPRINT_METHOD: Final = "__blueprint__"
"""A class method without arguments that makes a `Blueprint`. A class that has it is a
topology; `airssys.dsl.topology` adds it to a class."""


def _shown(declared: object) -> str:
    """Name a specification by its name, since its repr has no end; show all else."""
    name = getattr(declared, "id", None) or getattr(declared, "name", None)
    kind = type(declared).__name__
    return f"{declared!r:.80}" if name is None else f"{kind} {name}"


def as_blueprint(declared: Blueprint | type[object]) -> Blueprint:
    """Return a blueprint as it is, or let a topology make one. Neither is checked.

    Raises:
        DefinitionError: the argument is neither of them.
    """
    if isinstance(declared, Blueprint):
        return declared
    make = getattr(declared, BLUEPRINT_METHOD, None)
    if inspect.isclass(declared) and callable(make):
        made = make()
        if isinstance(made, Blueprint):
            return made
    shown = getattr(declared, "__qualname__", None) or _shown(declared)
    hint = "decorate a class with @topology, or call blueprint(...)"
    raise DefinitionError(
        [Mistake("$", f"{shown} is neither a topology nor a blueprint", hint)]
    )
