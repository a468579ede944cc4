"""Components on their own lane: core modules, adapters, one store for each instance.

The theory. An instance is one store with the core instances of the plan in it. A call
lays its values out in the scratch memory of the store, and enters an adapter on a fiber.
A call of the guest to the host makes the adapter give way, and is answered between two
polls. Nothing but `_memory` and `_c_api` touches an address.
"""

from . import _c_api as c_api
from ._calls import Asked
from ._code import (
    CoreCode,
    CoreRefused,
    Imports,
    c_pointer,
    compile_modules,
    define_host,
)
from ._failures import CoreFailed, failed
from ._host import CoreHost, Guard, giving_way, guarded
from ._instance import CoreInstance
from ._linking import SHIM, Linking, Source, Step, link
from ._memory import CoreValues, LinearMemory, address_of, callback_address
from ._parts import (
    Compiling,
    CoreParts,
    NotTakenApart,
    PartsReader,
    SharedModule,
    TakenApart,
    compile_parts,
    take_apart,
)
from ._resources import GuestResource, HostThings
from ._snapshots import StateReader, StateWriter
from ._store import CoreCall, CoreStore, host_calls

__all__ = (
    "SHIM",
    "Asked",
    "Compiling",
    "CoreCall",
    "CoreCode",
    "CoreFailed",
    "CoreHost",
    "CoreInstance",
    "CoreParts",
    "CoreRefused",
    "CoreStore",
    "CoreValues",
    "Guard",
    "GuestResource",
    "HostThings",
    "Imports",
    "LinearMemory",
    "Linking",
    "NotTakenApart",
    "PartsReader",
    "SharedModule",
    "Source",
    "StateReader",
    "StateWriter",
    "Step",
    "TakenApart",
    "address_of",
    "c_api",
    "c_pointer",
    "callback_address",
    "compile_modules",
    "compile_parts",
    "define_host",
    "failed",
    "giving_way",
    "guarded",
    "host_calls",
    "link",
    "take_apart",
)
