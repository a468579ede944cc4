"""Typed Python modules for components, written from their own types.

The theory. A component says which functions it has and of which types, in its binary or
as WIT text. From that a module is written with one method for each function, so that an
editor and a type checker know a guest as they know a module. The stub holds no values
and no code of the guest: it only calls by name.
"""

from ._read import Described, describe
from ._wit_world import describe_wit
from ._write import module_for

__all__ = ("Described", "describe", "describe_wit", "module_for")
