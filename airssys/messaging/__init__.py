"""How messages get from one actor to another, and answers back."""

from ._alarm import Alarm, Sleepers
from ._broker import Broker, Gate
from ._mailbox import Mailbox
from ._mailbox_statistics import Ending, MailboxStatistics
from ._open_requests import OpenRequests
from ._publishing import ActorSubscriber, Publishing
from ._registry import Registry
from ._topics import Subscriptions
from ._waits import WaitGraph

__all__ = (
    "ActorSubscriber",
    "Alarm",
    "Broker",
    "Ending",
    "Gate",
    "Mailbox",
    "MailboxStatistics",
    "OpenRequests",
    "Publishing",
    "Registry",
    "Sleepers",
    "Subscriptions",
    "WaitGraph",
)
