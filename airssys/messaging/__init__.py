"""How messages get from one actor to another, and answers back."""

from ._alarm import Alarm, Sleepers
from ._broker import Broker
from ._codecs import content_type_sent
from ._gate import Gate
from ._mailbox import Mailbox
from ._mailbox_contents import AtOnce
from ._mailbox_statistics import Ending, MailboxStatistics
from ._open_requests import OpenRequests
from ._pool import Pool
from ._pool_member import Member
from ._publishing import ActorSubscriber, Delivery, Publishing
from ._quarantine import Quarantine, QuarantinedMessage
from ._registry import Registry, unavailable
from ._retries import ask_again
from ._topics import Subscriptions
from ._waits import WaitGraph
from ._who_waits import who_waits

__all__ = (
    "ActorSubscriber",
    "Alarm",
    "AtOnce",
    "Broker",
    "Delivery",
    "Ending",
    "Gate",
    "Mailbox",
    "MailboxStatistics",
    "Member",
    "OpenRequests",
    "Pool",
    "Publishing",
    "Quarantine",
    "QuarantinedMessage",
    "Registry",
    "Sleepers",
    "Subscriptions",
    "WaitGraph",
    "ask_again",
    "content_type_sent",
    "unavailable",
    "who_waits",
)
