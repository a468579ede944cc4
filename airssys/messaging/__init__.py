"""How messages get from one actor to another, and answers back."""

from airssys.contracts import Gate, renamed

from ._open_requests import OpenRequests
from ._quarantine import Quarantine, QuarantinedMessage
from ._who_waits import who_waits
from .mailboxes import (
    AtOnce,
    Ending,
    Mailbox,
    MailboxStatistics,
    Servant,
    WaitGraph,
)
from .pools import Pool, Routee
from .publishing import (
    ActorSubscriber,
    Delivery,
    Outcomes,
    Publishing,
    Subscriptions,
)
from .requests import Alarm, Sleepers, ask_again
from .routing import Admission, Broker, Registry, content_type_sent, unavailable

__all__ = (
    "ActorSubscriber",
    "Admission",
    "Alarm",
    "AtOnce",
    "Broker",
    "Delivery",
    "Ending",
    "Gate",
    "Mailbox",
    "MailboxStatistics",
    "OpenRequests",
    "Outcomes",
    "Pool",
    "Publishing",
    "Quarantine",
    "QuarantinedMessage",
    "Registry",
    "Routee",
    "Servant",
    "Sleepers",
    "Subscriptions",
    "WaitGraph",
    "ask_again",
    "content_type_sent",
    "unavailable",
    "who_waits",
)

__getattr__ = renamed(__name__, {"Member": "Routee"})
