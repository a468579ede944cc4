"""What may stand where a blueprint is wanted: one, or a class that makes one."""

from __future__ import annotations

import inspect
from typing import Final

from airssys.contracts.errors import DefinitionError, Mistake

from ._blueprint import Blueprint

BLUEPRINT_METHOD: Final = "__blueprint__"
"""A class method without arguments that makes a `Blueprint`; a class that has it is a
topology. `airssys.dsl.topology` gives it to a class."""


def as_blueprint(declared: Blueprint | type[object]) -> Blueprint:
    """Take a blueprint as it is, and let a topology make one; judges neither.

    Raises:
        DefinitionError: it is neither of them.
    """
    if isinstance(declared, Blueprint):
        return declared
    make = getattr(declared, BLUEPRINT_METHOD, None)
    if inspect.isclass(declared) and callable(make):
        made = make()
        if isinstance(made, Blueprint):
            return made
    shown = getattr(declared, "__qualname__", None) or f"{declared!r:.80}"
    hint = "decorate a class with @topology, or call blueprint(...)"
    raise DefinitionError(
        [Mistake("$", f"{shown} is no topology and no blueprint", hint)]
    )
