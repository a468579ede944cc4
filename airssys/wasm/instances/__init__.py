"""Running instances: calls, turns, limits."""

from ._driver import Driver, HostFailed
from ._instance import EXPORT_NUMBERS, Instance, prepare_making, share_out
from ._outcomes import name_failure, unnamed
from ._runtime import Code, CoreProgram, Runtime
from ._turns import Turns, now

__all__ = (
    "EXPORT_NUMBERS",
    "Code",
    "CoreProgram",
    "Driver",
    "HostFailed",
    "Instance",
    "Runtime",
    "Turns",
    "name_failure",
    "now",
    "prepare_making",
    "share_out",
    "unnamed",
)
