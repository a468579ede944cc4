"""Toolchains that build a component from source code."""

from ._c_guest import c_recipe
from ._python_guest import python_recipe, write_stubs
from ._rust_guest import rust_recipe

__all__ = ("c_recipe", "python_recipe", "rust_recipe", "write_stubs")
