"""Running instances: calls, turns, limits."""

from ._component import Component
from ._driver import Driver, HostFailed, Late, meter_of
from ._instance import (
    EXPORT_NUMBERS,
    Instance,
    open_contexts,
    prepare_making,
    share_out,
    shares_of,
)
from ._outcomes import name_failure, unnamed
from ._runtime import Code, CoreProgram, Runtime
from ._saved import Saved, put, read_fresh, take
from ._saving import identity, without_host
from ._turns import Turns, now

__all__ = (
    "EXPORT_NUMBERS",
    "Code",
    "Component",
    "CoreProgram",
    "Driver",
    "HostFailed",
    "Instance",
    "Late",
    "Runtime",
    "Saved",
    "Turns",
    "identity",
    "meter_of",
    "name_failure",
    "now",
    "open_contexts",
    "prepare_making",
    "put",
    "read_fresh",
    "share_out",
    "shares_of",
    "take",
    "unnamed",
    "without_host",
)
