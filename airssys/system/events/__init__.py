"""What a system reports: streams of events, dead letters, log lines."""

from ._auditor import Auditor
from ._crash_report import CrashReport
from ._dead_letters import DEAD_LETTER_BYTES, DEAD_LETTERS_KEPT, DeadLetterStream
from ._event_fanout import EVENT_BYTES, EVENTS_KEPT, EventFanout, EventStream
from ._event_log import log_notice
from ._subscription import PATIENCE, Subscription
from ._writable import would_block

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
