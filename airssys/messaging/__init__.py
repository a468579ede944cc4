"""How messages get from one actor to another, and answers back."""

from ._alarm import Alarm, Sleepers
from ._broker import Broker, Gate
from ._mailbox import AtOnce, Mailbox
from ._mailbox_statistics import Ending, MailboxStatistics
from ._open_requests import OpenRequests
from ._publishing import ActorSubscriber, Publishing
from ._quarantine import Quarantine, QuarantinedMessage
from ._registry import Registry
from ._waits import WaitGraph

__all__ = (
    "ActorSubscriber",
    "Alarm",
    "AtOnce",
    "Broker",
    "Ending",
    "Gate",
    "Mailbox",
    "MailboxStatistics",
    "OpenRequests",
    "Publishing",
    "Quarantine",
    "QuarantinedMessage",
    "Registry",
    "Sleepers",
    "WaitGraph",
)
