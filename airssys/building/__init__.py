"""Builds components from source: Python, C, Rust, or a core module from elsewhere.

An edge: nothing that runs components needs it. `build` picks the way by the suffix of
the source and keeps what it made, found again by content. What it makes is an ordinary
component for the world in `wit_directory()`.
"""

from ._build import Built, build
from ._build_cache import default_build_cache
from ._component_encoder import encode_component
from ._errors import BuildFailed, CoreModuleUnfit, ToolMissing
from ._python_guest import write_stubs
from ._wit_directory import wit_directory

__all__ = (
    "BuildFailed",
    "Built",
    "CoreModuleUnfit",
    "ToolMissing",
    "build",
    "default_build_cache",
    "encode_component",
    "wit_directory",
    "write_stubs",
)
