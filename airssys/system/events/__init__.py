"""What a system reports: streams of events, dead letters, log lines."""

from typing import TYPE_CHECKING

from airssys.contracts import imported_late

from ._crash_report import CrashReport
from ._event_fanout import EventFanout
from ._event_log import log_notice
from ._streams import (
    DEAD_LETTER_BYTES,
    DEAD_LETTERS_KEPT,
    EVENT_BYTES,
    EVENTS_KEPT,
    DeadLetterStream,
    EventStream,
)
from ._subscription import PATIENCE, Subscription
from ._writable import would_block

if TYPE_CHECKING:
    from ._auditor import Auditor

__all__ = (
    "DEAD_LETTERS_KEPT",
    "DEAD_LETTER_BYTES",
    "EVENTS_KEPT",
    "EVENT_BYTES",
    "PATIENCE",
    "Auditor",
    "CrashReport",
    "DeadLetterStream",
    "EventFanout",
    "EventStream",
    "Subscription",
    "log_notice",
    "would_block",
)

__getattr__ = imported_late(__name__, {"Auditor": f"{__name__}._auditor"})
