"""Quotas in the way of what actors do, and of what guests use.

A `QuotaGate` is an actor's account at work for one incarnation.
"""

from ._gate import QuotaGate
from ._guest_meter import GuestMeter
from ._metered import (
    BroadcastOptions,
    MeteredBroker,
    MeteredKeyspace,
    MeteredPublishing,
    MeteredSubscriber,
    Post,
)
from ._names import REQUESTS

__all__ = (
    "REQUESTS",
    "BroadcastOptions",
    "GuestMeter",
    "MeteredBroker",
    "MeteredKeyspace",
    "MeteredPublishing",
    "MeteredSubscriber",
    "Post",
    "QuotaGate",
)
