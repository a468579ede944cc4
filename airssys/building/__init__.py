"""Builds components from source: Python, C, Rust, or a core module from elsewhere.

Nothing that runs components needs this package. `build` selects the toolchain by the
suffix of the source, and keeps what it builds in a cache, keyed by content. The result
is an ordinary component for the world in `wit_directory()`.
"""

from ._build import Built, build, sources_of
from ._build_cache import default_build_cache
from .encoding import encode_component
from .recipes import BuildFailed, CoreModuleUnfit, ToolMissing, wit_directory
from .toolchains import Toolchain, survey, write_stubs

__all__ = (
    "BuildFailed",
    "Built",
    "CoreModuleUnfit",
    "ToolMissing",
    "Toolchain",
    "build",
    "default_build_cache",
    "encode_component",
    "sources_of",
    "survey",
    "wit_directory",
    "write_stubs",
)
