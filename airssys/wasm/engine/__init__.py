"""The engine room: fibers, stores, the ledger, epochs."""

from ._engine import Engine
from ._fiber import Call, CallbackFailed, WasmtimeFailed
from ._handles import Destructor, HandleTable, HostResources, Owners, refuse_awaitable
from ._result_slots import MAX_PARAMS
from ._store import Store
from ._ticker import Ticker, Ticks, TicksMaker
from ._traps import failure_of, root_cause

__all__ = (
    "MAX_PARAMS",
    "Call",
    "CallbackFailed",
    "Destructor",
    "Engine",
    "HandleTable",
    "HostResources",
    "Owners",
    "Store",
    "Ticker",
    "Ticks",
    "TicksMaker",
    "WasmtimeFailed",
    "failure_of",
    "refuse_awaitable",
    "root_cause",
)
