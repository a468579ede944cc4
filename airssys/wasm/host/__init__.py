"""What guests import: the world, and how it is linked."""

from ._any_world import AnyWorld, Host, SameAs, read_world
from ._core_functions import HostFunction, forget_names, host_functions
from ._core_world import (
    EXPORT_STATE,
    EXPORTS,
    IMPORTS,
    LIFECYCLE,
    STATE_EXPORTS,
    STATE_HANDOVER,
    TYPE_ONLY,
    full_name,
)
from ._linker import link, make_linker

__all__ = (
    "EXPORTS",
    "EXPORT_STATE",
    "IMPORTS",
    "LIFECYCLE",
    "STATE_EXPORTS",
    "STATE_HANDOVER",
    "TYPE_ONLY",
    "AnyWorld",
    "Host",
    "HostFunction",
    "SameAs",
    "forget_names",
    "full_name",
    "host_functions",
    "link",
    "make_linker",
    "read_world",
)
