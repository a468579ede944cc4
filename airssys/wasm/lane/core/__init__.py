"""Components on their own lane: core modules, adapters, one store for each instance."""

from ._calls import Asked
from ._code import CoreCode, CoreRefused, compile_modules
from ._failures import CoreFailed
from ._host import CoreHost
from ._instance import CoreInstance
from ._linking import Linking, link
from ._parts import CoreParts, NotTakenApart, TakenApart, compile_parts, take_apart
from ._resources import GuestResource, HostThings
from ._snapshots import StateReader, StateWriter
from ._store import CoreCall, CoreStore, host_calls

__all__ = (
    "Asked",
    "CoreCall",
    "CoreCode",
    "CoreFailed",
    "CoreHost",
    "CoreInstance",
    "CoreParts",
    "CoreRefused",
    "CoreStore",
    "GuestResource",
    "HostThings",
    "Linking",
    "NotTakenApart",
    "StateReader",
    "StateWriter",
    "TakenApart",
    "compile_modules",
    "compile_parts",
    "host_calls",
    "link",
    "take_apart",
)
