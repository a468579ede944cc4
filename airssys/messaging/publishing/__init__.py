"""Topics: who is subscribed, and the fan-out of what is published."""

from ._publishing import ActorSubscriber, Delivery, Publishing
from ._topics import Subscriptions

__all__ = ("ActorSubscriber", "Delivery", "Publishing", "Subscriptions")
