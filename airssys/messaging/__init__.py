"""How messages get from one actor to another, and answers back."""

from ._alarm import Alarm, Sleepers
from ._broker import Broker, Gate
from ._mailbox import Mailbox
from ._mailbox_statistics import Ending, MailboxStatistics
from ._open_requests import OpenRequests
from ._publishing import ActorSubscriber, Delivery, Publishing
from ._registry import Registry
from ._retries import ask_again
from ._waits import WaitGraph
from ._who_waits import who_waits

__all__ = (
    "ActorSubscriber",
    "Alarm",
    "Broker",
    "Delivery",
    "Ending",
    "Gate",
    "Mailbox",
    "MailboxStatistics",
    "OpenRequests",
    "Publishing",
    "Registry",
    "Sleepers",
    "WaitGraph",
    "ask_again",
    "who_waits",
)
