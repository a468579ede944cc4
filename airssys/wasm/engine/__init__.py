"""The engine: fibers, stores, the ledger, epochs.

The theory. A call of wasmtime is a future that is polled. Each poll runs the guest on its
own stack until it finishes, calls the host, or meets its deadline, which is a number of
epochs that a thread of ours counts. While a future exists nothing else may enter its
store, and its store may not be closed before it; `_ledger` keeps that order, because
finalisers of Python do not. Both lanes obey these rules and offer the same few methods
(`_ports`).
"""

from ._callbacks import HostCall, Notebook, leave_room
from ._collections import poll_future
from ._engine import Engine
from ._fiber import (
    CLOSED,
    ENTERED,
    IN_A_CALL,
    CallbackFailed,
    Entered,
    WasmtimeFailed,
)
from ._handles import (
    Destructor,
    HeldThings,
    HostResources,
    Owners,
    refuse_awaitable,
)
from ._ledger import OpenStore
from ._ports import UNLIMITED_FUEL, GuestCall, GuestStore
from ._ticker import Ticker, Ticks, TicksMaker
from ._traps import failure_of, root_cause

__all__ = (
    "CLOSED",
    "ENTERED",
    "IN_A_CALL",
    "UNLIMITED_FUEL",
    "CallbackFailed",
    "Destructor",
    "Engine",
    "Entered",
    "GuestCall",
    "GuestStore",
    "HeldThings",
    "HostCall",
    "HostResources",
    "Notebook",
    "OpenStore",
    "Owners",
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
