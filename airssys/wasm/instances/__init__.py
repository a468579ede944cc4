"""Running instances: calls, turns, limits.

The theory. An instance is a store with one component in it, and runs one call at a time.
A call is driven in slices of at most a tick, and what the host does for it happens
between two slices (`_driver`). Many calls take turns (`_turns`), so that no pass of
Trio's scheduler takes longer than about a tick. A call that was not completed leaves the
instance spent (`_instance`).
"""

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
from ._whole import (
    adopt,
    export_index,
    forget_rows,
    move_whole,
    open_whole_store,
    run_whole,
)

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
    "adopt",
    "export_index",
    "forget_rows",
    "identity",
    "meter_of",
    "move_whole",
    "name_failure",
    "now",
    "open_contexts",
    "open_whole_store",
    "prepare_making",
    "put",
    "read_fresh",
    "run_whole",
    "share_out",
    "shares_of",
    "take",
    "unnamed",
    "without_host",
)
