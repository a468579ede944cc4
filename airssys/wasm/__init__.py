"""Runs WebAssembly components as preemptible calls inside Trio.

The theory. A guest must never stop the program, so each call runs on a stack of its own
that Trio's thread can leave and come back to. Everything else follows: who may run next
(`instances`), what is open in C and in which order it is closed (`engine`), and how
values cross (`lane`, where a component is taken apart, or `fallback`, by wasmtime).

Read `engine._fiber` (one call), `instances._turns` (who runs when) and
`instances._instance` (one guest and its limits), in this order; `engine._ledger` holds
what must be closed before what.
"""

from .cache import CacheEntry, clear_cache, list_cache, user_cache_directory
from .engine import Ticks, TicksMaker
from .host import (
    CORE_INTERFACES,
    EXPORTS,
    IMPORTS,
    TYPE_ONLY,
    FunctionKind,
    Host,
    HostFunction,
    HostInterface,
    SameAs,
    StopGuest,
    full_name,
)
from .host.wasi import WASI_INTERFACES
from .instances.concurrent import (
    ConcurrentComponent,
    ConcurrentInstance,
    FutureReader,
    FutureWriter,
    StreamReader,
    StreamWriter,
    load_concurrent,
)
from .lane.core import GuestResource
from .lane.snapshots import Snapshot
from .loading import (
    AnyComponent,
    AnyInstance,
    Inspection,
    Loader,
    exports_of,
    functions_imported,
    inspect,
    load_any,
    open_runtime,
)
from .values import Case, Err, Ok, Some, ValueUnfit

__all__ = (
    "CORE_INTERFACES",
    "EXPORTS",
    "IMPORTS",
    "TYPE_ONLY",
    "WASI_INTERFACES",
    "AnyComponent",
    "AnyInstance",
    "CacheEntry",
    "Case",
    "ConcurrentComponent",
    "ConcurrentInstance",
    "Err",
    "FunctionKind",
    "FutureReader",
    "FutureWriter",
    "GuestResource",
    "Host",
    "HostFunction",
    "HostInterface",
    "Inspection",
    "Loader",
    "Ok",
    "SameAs",
    "Snapshot",
    "Some",
    "StopGuest",
    "StreamReader",
    "StreamWriter",
    "Ticks",
    "TicksMaker",
    "ValueUnfit",
    "clear_cache",
    "exports_of",
    "full_name",
    "functions_imported",
    "inspect",
    "list_cache",
    "load_any",
    "load_concurrent",
    "open_runtime",
    "user_cache_directory",
)
