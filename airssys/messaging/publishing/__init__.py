"""Topics: who is subscribed, and the fan-out of what is published."""

from ._publishing import ActorSubscriber, Delivery, Outcomes, Publishing
from ._topics import Subscriptions

__all__ = ("ActorSubscriber", "Delivery", "Outcomes", "Publishing", "Subscriptions")
