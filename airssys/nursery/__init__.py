"""Supervision: the tree of actors, what starts, restarts and stops them."""

from ._actor_seat import ActorSeat, seat_maker
from ._actor_services import NOT_GRANTED, ActorServices
from ._as_message import (
    PriorityWord,
    as_content_type,
    as_expiry,
    as_id,
    as_payload,
    as_priority,
)
from ._child import GRACE, Child, Occupation
from ._exit_reason import GaveUp, describe, find_escapee
from ._python_actor import ASK_TIMEOUT, ActorContext
from ._restart_plan import RETRY_PAUSE
from ._slots import Seat, SeatMaker, Slot, SlotState
from ._supervisor import Supervisor, SupervisorSeat
from ._surroundings import HELD_THREAD_AFTER, Surroundings
from ._tree_snapshot import TreeNode, render, take_snapshot

__all__ = (
    "ASK_TIMEOUT",
    "GRACE",
    "HELD_THREAD_AFTER",
    "NOT_GRANTED",
    "RETRY_PAUSE",
    "ActorContext",
    "ActorSeat",
    "ActorServices",
    "Child",
    "GaveUp",
    "Occupation",
    "PriorityWord",
    "Seat",
    "SeatMaker",
    "Slot",
    "SlotState",
    "Supervisor",
    "SupervisorSeat",
    "Surroundings",
    "TreeNode",
    "as_content_type",
    "as_expiry",
    "as_id",
    "as_payload",
    "as_priority",
    "describe",
    "find_escapee",
    "render",
    "seat_maker",
    "take_snapshot",
)
