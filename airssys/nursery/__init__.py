"""Supervision: the tree of actors, what starts, restarts and stops them."""

from airssys.contracts import PriorityWord

from ._actor_context import ActorContext
from ._actor_seat import ActorSeat, seat_maker
from ._actor_services import ActorServices
from ._administration import Administration
from ._as_message import (
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
from ._child import GRACE, Child, Occupation
from ._exit_reason import GaveUp, Ignore, Stop, describe
from ._messenger import ASK_TIMEOUT, Messenger
from ._pool_address import pool_opener
from ._replacer import Replacer
from ._restart_plan import RETRY_PAUSE
from ._slots import Seat, SeatMaker, Slot, SlotState
from ._supervisor import Supervisor
from ._supervisor_seat import SupervisorSeat, find_actor, find_pool, find_supervisor
from ._surroundings import HELD_THREAD_AFTER, Surroundings
from ._task_seat import TaskContext
from ._timers import Timer, Timers
from ._tree_snapshot import TreeNode, render, take_snapshot
from ._watches import ENDED, Watches

__all__ = (
    "ASK_TIMEOUT",
    "ENDED",
    "GRACE",
    "HELD_THREAD_AFTER",
    "RETRY_PAUSE",
    "ActorContext",
    "ActorSeat",
    "ActorServices",
    "Administration",
    "Child",
    "GaveUp",
    "Ignore",
    "Messenger",
    "Occupation",
    "PriorityWord",
    "Replacer",
    "Seat",
    "SeatMaker",
    "Slot",
    "SlotState",
    "Stop",
    "Supervisor",
    "SupervisorSeat",
    "Surroundings",
    "TaskContext",
    "Timer",
    "Timers",
    "TreeNode",
    "Watches",
    "as_content_type",
    "as_expiry",
    "as_id",
    "as_key",
    "as_payload",
    "as_priority",
    "as_retries",
    "as_timeout",
    "as_trace",
    "describe",
    "find_actor",
    "find_pool",
    "find_supervisor",
    "pool_opener",
    "render",
    "seat_maker",
    "take_snapshot",
)
