"""What an actor does with a message: a guest or Python code, and what it may do."""

from ._actor_context import ActorContext
from ._actor_services import ActorServices
from ._behaviour import Behaviour, Inheritance, Successor
from ._component_actor import (
    ComponentBehaviour,
    SavedState,
)
from ._gates import GatedBroker, Gates
from ._guard import Guard
from ._handover import hand_state_over
from ._message_arguments import (
    as_content_type,
    as_expiry,
    as_id,
    as_key,
    as_payload,
    as_priority,
    as_retries,
    as_timeout,
    as_trace,
)
from ._messenger import ASK_TIMEOUT, Messenger
from ._python_actor import PythonBehaviour

__all__ = (
    "ASK_TIMEOUT",
    "ActorContext",
    "ActorServices",
    "Behaviour",
    "ComponentBehaviour",
    "GatedBroker",
    "Gates",
    "Guard",
    "Inheritance",
    "Messenger",
    "PythonBehaviour",
    "SavedState",
    "Successor",
    "as_content_type",
    "as_expiry",
    "as_id",
    "as_key",
    "as_payload",
    "as_priority",
    "as_retries",
    "as_timeout",
    "as_trace",
    "hand_state_over",
)
