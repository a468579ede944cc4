"""Toolchains that build a component from source code."""

from ._c_guest import c_recipe
from ._go_guest import go_recipe
from ._javascript_guest import javascript_recipe
from ._python_guest import python_recipe, write_stubs
from ._rust_guest import rust_recipe
from ._survey import Toolchain, survey

__all__ = (
    "Toolchain",
    "c_recipe",
    "go_recipe",
    "javascript_recipe",
    "python_recipe",
    "rust_recipe",
    "survey",
    "write_stubs",
)
