"""The engine: fibers, stores, the ledger, epochs."""

from ._callbacks import HostCall, leave_room
from ._collections import poll_future
from ._engine import Engine
from ._fiber import (
    CLOSED,
    ENTERED,
    IN_A_CALL,
    Call,
    CallbackFailed,
    Entered,
    WasmtimeFailed,
)
from ._handles import (
    Destructor,
    HandleTable,
    HeldThings,
    HostResources,
    Owners,
    refuse_awaitable,
)
from ._ledger import OpenStore
from ._ports import GuestCall, GuestStore
from ._result_slots import MAX_PARAMS
from ._store import UNLIMITED_FUEL, Store
from ._ticker import Ticker, Ticks, TicksMaker
from ._traps import failure_of, root_cause

__all__ = (
    "CLOSED",
    "ENTERED",
    "IN_A_CALL",
    "MAX_PARAMS",
    "UNLIMITED_FUEL",
    "Call",
    "CallbackFailed",
    "Destructor",
    "Engine",
    "Entered",
    "GuestCall",
    "GuestStore",
    "HandleTable",
    "HeldThings",
    "HostCall",
    "HostResources",
    "OpenStore",
    "Owners",
    "Store",
    "Ticker",
    "Ticks",
    "TicksMaker",
    "WasmtimeFailed",
    "failure_of",
    "leave_room",
    "poll_future",
    "refuse_awaitable",
    "root_cause",
)
