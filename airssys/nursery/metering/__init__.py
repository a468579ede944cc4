"""Quotas in the way of what actors do, and of what guests use.

A `QuotaGate` is an actor's account at work for one incarnation.
"""

from ._gate import QuotaGate
from ._guest_meter import GuestMeter
from ._metered import MeteredKeyspace, MeteredSubscriber
from ._names import FAN_OUT, MESSAGES, REQUESTS

__all__ = (
    "FAN_OUT",
    "MESSAGES",
    "REQUESTS",
    "GuestMeter",
    "MeteredKeyspace",
    "MeteredSubscriber",
    "QuotaGate",
)
