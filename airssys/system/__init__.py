"""Composing and running: a blueprint becomes a system, and ends in order."""

from ._crash_report import CrashReport
from ._dead_letters import DEAD_LETTER_BYTES, DEAD_LETTERS_KEPT, DeadLetterStream
from ._event_fanout import EVENTS_KEPT, EventStream
from ._open_system import Opening, open_system
from ._portal import Portal
from ._run import EXIT_GAVE_UP, EXIT_INTERRUPTED, EXIT_OK, EXIT_TERMINATED, run
from ._serve import serve
from ._subscription import Subscription
from ._system import OUTSIDE, System
from ._wiring import LoaderOpener, open_wasm_loader

__all__ = (
    "DEAD_LETTERS_KEPT",
    "DEAD_LETTER_BYTES",
    "EVENTS_KEPT",
    "EXIT_GAVE_UP",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_TERMINATED",
    "OUTSIDE",
    "CrashReport",
    "DeadLetterStream",
    "EventStream",
    "LoaderOpener",
    "Opening",
    "Portal",
    "Subscription",
    "System",
    "open_system",
    "open_wasm_loader",
    "run",
    "serve",
)
