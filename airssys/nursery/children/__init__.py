"""Children of a supervisor: their slots, how they are run, what they report."""

from ._child import GRACE, Child, Incarnation
from ._child_runner import ChildRunner
from ._given_names import GivenNames
from ._inbox import Ended, Notice, Ready, Requested, RetryDue, StopAsked
from ._reply import Reply
from ._requests import (
    REORDERING,
    ChangeSpecs,
    DeleteChild,
    KillChild,
    Request,
    RestartChild,
    StartChild,
    StartFromTemplate,
    TerminateChild,
)
from ._restart_record import RestartRecord
from ._roster import Roster
from ._slot_states import PRESENCES, SLOT_MOVES, SlotState, SlotStep, next_slot_state
from ._slots import Cell, CellMaker, Slot, Start
from ._supervisor_setup import SupervisorSetup
from ._task_cell import TaskCell, TaskContext

__all__ = (
    "GRACE",
    "PRESENCES",
    "REORDERING",
    "SLOT_MOVES",
    "Cell",
    "CellMaker",
    "ChangeSpecs",
    "Child",
    "ChildRunner",
    "DeleteChild",
    "Ended",
    "GivenNames",
    "Incarnation",
    "KillChild",
    "Notice",
    "Ready",
    "Reply",
    "Request",
    "Requested",
    "RestartChild",
    "RestartRecord",
    "RetryDue",
    "Roster",
    "Slot",
    "SlotState",
    "SlotStep",
    "Start",
    "StartChild",
    "StartFromTemplate",
    "StopAsked",
    "SupervisorSetup",
    "TaskCell",
    "TaskContext",
    "TerminateChild",
    "next_slot_state",
)
