"""Running instances: calls, turns, limits."""

from ._driver import Driver
from ._instance import (
    EXPORT_NUMBERS,
    Instance,
    open_contexts,
    prepare_making,
    share_out,
)
from ._outcomes import name_failure, unnamed
from ._runtime import Code, CoreProgram, Runtime
from ._turns import Turns, now

__all__ = (
    "EXPORT_NUMBERS",
    "Code",
    "CoreProgram",
    "Driver",
    "Instance",
    "Runtime",
    "Turns",
    "name_failure",
    "now",
    "open_contexts",
    "prepare_making",
    "share_out",
    "unnamed",
)
