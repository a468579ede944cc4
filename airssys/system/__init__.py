"""Builds a running system from a blueprint, and ends it in order."""

from airssys.contracts import renamed

from ._asgi import AsgiApp
from ._log_levels import LogLevels, check_log_levels
from ._open_system import SystemManager, open_system
from ._portal import Portal
from ._run import (
    EXIT_GAVE_UP,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_TERMINATED,
    run,
    serve,
)
from ._system import OUTSIDE, System
from ._wiring import LoaderOpener, open_wasm_loader
from .events import (
    DEAD_LETTER_BYTES,
    DEAD_LETTERS_KEPT,
    EVENTS_KEPT,
    CrashReport,
    DeadLetterStream,
    EventStream,
    Subscription,
)

__all__ = (
    "DEAD_LETTERS_KEPT",
    "DEAD_LETTER_BYTES",
    "EVENTS_KEPT",
    "EXIT_GAVE_UP",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_REFUSED",
    "EXIT_TERMINATED",
    "OUTSIDE",
    "AsgiApp",
    "CrashReport",
    "DeadLetterStream",
    "EventStream",
    "LoaderOpener",
    "LogLevels",
    "Portal",
    "Subscription",
    "System",
    "SystemManager",
    "check_log_levels",
    "open_system",
    "open_wasm_loader",
    "run",
    "serve",
)

__getattr__ = renamed(
    __name__,
    {"Opening": "SystemManager"},
)
