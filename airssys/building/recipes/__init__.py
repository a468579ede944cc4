"""The input of every toolchain, and its errors."""

from ._errors import BuildFailed, CoreModuleUnfit, ToolMissing
from ._recipe import Recipe, Stage, read_source, run_tool
from ._wit_directory import wit_directory

__all__ = (
    "BuildFailed",
    "CoreModuleUnfit",
    "Recipe",
    "Stage",
    "ToolMissing",
    "read_source",
    "run_tool",
    "wit_directory",
)
