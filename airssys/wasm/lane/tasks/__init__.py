"""Asynchronous guests as plain values: tasks, and what they wait for.

The theory. The reference, `definitions.py` of WebAssembly/component-model, is a program:
threads that run one at a time, and conditions that they wait for. This is the same
program without guests. A built-in is a generator that yields what it wants next, so each
rule can be tested without WebAssembly, and nothing here can block.
"""

from ._builtins import (
    cancel_copy,
    cancel_subtask,
    cancel_task,
    check_buffer,
    check_returns,
    copy,
    drop_end,
    drop_set,
    drop_subtask,
    get_context,
    give_way,
    join,
    lift_end,
    lower_end,
    new_ends,
    new_set,
    poll_set,
    set_context,
    wait_with_set,
)
from ._calls import BLOCKED, Lifted, Lowered, begin_call, call_lowered
from ._copies import Buffer, CopyResult, Pending, Shared
from ._threads import (
    CoreCall,
    Cores,
    Instance,
    Kind,
    Resume,
    Run,
    Scheduler,
    Steps,
    Task,
    Thread,
    Wait,
)
from ._waitables import Event, EventCode, Subtask

__all__ = (
    "BLOCKED",
    "Buffer",
    "CopyResult",
    "CoreCall",
    "Cores",
    "Event",
    "EventCode",
    "Instance",
    "Kind",
    "Lifted",
    "Lowered",
    "Pending",
    "Resume",
    "Run",
    "Scheduler",
    "Shared",
    "Steps",
    "Subtask",
    "Task",
    "Thread",
    "Wait",
    "begin_call",
    "call_lowered",
    "cancel_copy",
    "cancel_subtask",
    "cancel_task",
    "check_buffer",
    "check_returns",
    "copy",
    "drop_end",
    "drop_set",
    "drop_subtask",
    "get_context",
    "give_way",
    "join",
    "lift_end",
    "lower_end",
    "new_ends",
    "new_set",
    "poll_set",
    "set_context",
    "wait_with_set",
)
