"""Asks and requests: pending answers, deadlines, retries."""

from ._alarm import Alarm, Sleepers
from ._pending import PendingAsk, PendingRequests
from ._retries import ask_again

__all__ = ("Alarm", "PendingAsk", "PendingRequests", "Sleepers", "ask_again")
