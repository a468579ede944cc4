"""The input of every toolchain, and its errors."""

from ._errors import BuildFailed, CoreModuleUnfit, ToolMissing
from ._inline_wit import inline_wit
from ._recipe import Recipe, Stage, read_source, run_tool
from ._wit_directory import wit_directory

__all__ = (
    "BuildFailed",
    "CoreModuleUnfit",
    "Recipe",
    "Stage",
    "ToolMissing",
    "inline_wit",
    "read_source",
    "run_tool",
    "wit_directory",
)
