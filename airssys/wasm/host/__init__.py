"""What guests import: interfaces that the host gives, and the world of actors.

The theory. What a host gives is a value: a function and its kind for each name. What a
component needs it says itself. Both are compared once, when it is loaded, and from then
on a function is a number. Everything that an instance may do beyond computing goes
through such a function, so this is also where a permission is asked.
"""

from ._any_world import (
    AnyWorld,
    Host,
    ImportedTypes,
    interfaces_of,
    read_imports,
    read_types,
    read_world,
)
from ._background import Background, ContextWithTasks
from ._contexts import (
    Contexts,
    HostCalled,
)
from ._core_functions import CORE_INTERFACES, forget_names
from ._core_values import config_value, message_value, metadata_of
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
from ._host_interface import (
    FunctionKind,
    HostFunction,
    HostInterface,
    SameAs,
    StopGuest,
)
from ._host_table import (
    BoundFunction,
    HostTable,
    bind,
    bind_all,
    check_distinct,
    not_provided,
)

__all__ = (
    "CORE_INTERFACES",
    "EXPORTS",
    "EXPORT_STATE",
    "IMPORTS",
    "LIFECYCLE",
    "STATE_EXPORTS",
    "STATE_HANDOVER",
    "TYPE_ONLY",
    "AnyWorld",
    "Background",
    "BoundFunction",
    "ContextWithTasks",
    "Contexts",
    "FunctionKind",
    "Host",
    "HostCalled",
    "HostFunction",
    "HostInterface",
    "HostTable",
    "ImportedTypes",
    "SameAs",
    "StopGuest",
    "bind",
    "bind_all",
    "check_distinct",
    "config_value",
    "forget_names",
    "full_name",
    "interfaces_of",
    "message_value",
    "metadata_of",
    "not_provided",
    "read_imports",
    "read_types",
    "read_world",
)
