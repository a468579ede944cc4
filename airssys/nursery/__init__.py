"""Supervision: the tree of actors, what starts, restarts and stops them."""

from airssys.contracts import PriorityWord, renamed

from .actors import ActorCell, cell_maker
from .behaviours import (
    ASK_TIMEOUT,
    ActorContext,
    ActorServices,
    Messenger,
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
from .children import (
    GRACE,
    Cell,
    CellMaker,
    Child,
    Incarnation,
    Slot,
    SlotState,
    SlotStep,
    TaskContext,
)
from .restarts import RETRY_PAUSE, GaveUp, Ignore, Stop, describe
from .shared import ENDED, HELD_THREAD_AFTER, Shared, Timer, Timers, Watches
from .supervisors import Supervisor
from .tree import (
    Administration,
    Replacer,
    SupervisorCell,
    TreeNode,
    find_actor,
    find_pool,
    find_supervisor,
    pool_opener,
    render,
    take_snapshot,
)

__all__ = (
    "ASK_TIMEOUT",
    "ENDED",
    "GRACE",
    "HELD_THREAD_AFTER",
    "RETRY_PAUSE",
    "ActorCell",
    "ActorContext",
    "ActorServices",
    "Administration",
    "Cell",
    "CellMaker",
    "Child",
    "GaveUp",
    "Ignore",
    "Incarnation",
    "Messenger",
    "PriorityWord",
    "Replacer",
    "Shared",
    "Slot",
    "SlotState",
    "SlotStep",
    "Stop",
    "Supervisor",
    "SupervisorCell",
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
    "cell_maker",
    "describe",
    "find_actor",
    "find_pool",
    "find_supervisor",
    "pool_opener",
    "render",
    "take_snapshot",
)

__getattr__ = renamed(
    __name__,
    {
        "ActorSeat": "ActorCell",
        "Occupation": "Incarnation",
        "Seat": "Cell",
        "SeatMaker": "CellMaker",
        "SupervisorSeat": "SupervisorCell",
        "Surroundings": "Shared",
        "seat_maker": "cell_maker",
    },
)
