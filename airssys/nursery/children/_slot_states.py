"""The states of one child among its siblings, and the steps between them.

Rules. Everything that changes the state of a child is a step of this table, and nothing
else is: `Slot.move` looks the step up. This file does not know why a step is taken. That
is decided by the supervisor, from the restart type, the strategy and the requests.

| step        | unstarted | starting | running  | waiting    | restarting | refused    | down       | stopping | stopped    |
|-------------|-----------|----------|----------|------------|------------|------------|------------|----------|------------|
| start       | starting  |          |          | starting   |            | starting   | starting   |          | starting   |
| start again |           |          |          | restarting |            | restarting | restarting |          | restarting |
| ready       |           | running  |          |            | running    |            |            |          |            |
| wait        |           | waiting  | waiting  |            | waiting    |            |            |          |            |
| refuse      |           | refused  |          |            | refused    |            |            |          |            |
| stop        |           | stopping | stopping |            | stopping   |            |            | stopping |            |
| lie down    | down      | down     |          | down       | down       | down       | down       | down     | down       |
| retire      | stopped   | stopped  | stopped  | stopped    | stopped    | stopped    | stopped    | stopped  | stopped    |

The steps:

* *start*: a child that was never ready is started; *start again*: one that was.
* *ready*: the child reports that it is ready.
* *wait*: it ended, or its start failed, and a restart is due, perhaps after a pause.
* *refuse*: there was no capacity to restart it. It is tried again after a pause, and that
  attempt does not count.
* *stop*: it is asked to stop or cancelled. A supervisor that is killed cancels children
  that it was stopping already, so this step may follow itself.
* *lie down*: it has ended and shares the restart of a sibling. It keeps its name and its
  mailbox, and is started when its turn comes. Also a child that was stopped by hand or
  was never started is started by the restart of its group (OTP).
* *retire*: it has ended for good, or until it is started by request.

An empty cell cannot happen. A child is not started while it runs or stops. A child that
is being stopped is not reported as ready. A child that runs cannot lie down before it was
stopped: its own end is not served while its siblings are restarted.

The weak spot: the table does not know whether there is a child. It has one in `starting`,
`running`, `restarting` and `stopping`, but only until its end is served.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from airssys.contracts import InternalError, Presence

if TYPE_CHECKING:
    from collections.abc import Mapping


class SlotState(enum.Enum):
    """The state of one child among its siblings."""

    UNSTARTED = "unstarted"
    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting to be restarted"
    RESTARTING = "restarting"
    REFUSED = "refused, waiting"
    DOWN = "stopped, while a sibling is restarted"
    STOPPING = "stopping"
    STOPPED = "stopped"

    # That of `Enum` is Python code, and a restart looks four steps up.
    __hash__ = object.__hash__


class SlotStep(enum.Enum):
    """What changes the state of a child."""

    START = "start"
    START_AGAIN = "start again"
    READY = "ready"
    WAIT = "wait"
    REFUSE = "refuse"
    STOP = "stop"
    LIE_DOWN = "lie down"
    RETIRE = "retire"

    __hash__ = object.__hash__


_ENDED: Final = (
    SlotState.WAITING,
    SlotState.REFUSED,
    SlotState.DOWN,
    SlotState.STOPPED,
)
_BEGUN: Final = (SlotState.STARTING, SlotState.RESTARTING)

SLOT_MOVES: Final[Mapping[tuple[SlotState, SlotStep], SlotState]] = MappingProxyType(
    {
        (SlotState.UNSTARTED, SlotStep.START): SlotState.STARTING,
        **{(state, SlotStep.START): SlotState.STARTING for state in _ENDED},
        **{(state, SlotStep.START_AGAIN): SlotState.RESTARTING for state in _ENDED},
        **{(state, SlotStep.READY): SlotState.RUNNING for state in _BEGUN},
        **{(state, SlotStep.WAIT): SlotState.WAITING for state in _BEGUN},
        (SlotState.RUNNING, SlotStep.WAIT): SlotState.WAITING,
        **{(state, SlotStep.REFUSE): SlotState.REFUSED for state in _BEGUN},
        **{(state, SlotStep.STOP): SlotState.STOPPING for state in _BEGUN},
        (SlotState.RUNNING, SlotStep.STOP): SlotState.STOPPING,
        (SlotState.STOPPING, SlotStep.STOP): SlotState.STOPPING,
        **{
            (state, SlotStep.LIE_DOWN): SlotState.DOWN
            for state in SlotState
            if state is not SlotState.RUNNING
        },
        **{(state, SlotStep.RETIRE): SlotState.STOPPED for state in SlotState},
    }
)
"""Where each step leads; what is not here cannot happen."""

PRESENCES: Final = {
    SlotState.UNSTARTED: Presence.NONE,
    SlotState.STARTING: Presence.RESTARTING,
    SlotState.RUNNING: Presence.RUNNING,
    SlotState.WAITING: Presence.RESTARTING,
    SlotState.RESTARTING: Presence.RESTARTING,
    SlotState.REFUSED: Presence.RESTARTING,
    SlotState.DOWN: Presence.NONE,
    SlotState.STOPPING: Presence.RUNNING,
    SlotState.STOPPED: Presence.NONE,
}
"""What each state is in the answer to `which_children`."""


def next_slot_state(name: str, state: SlotState, step: SlotStep) -> SlotState:
    """Return the state of a child after a step.

    Args:
        name: of the child, for the error.
        state: its state before.
        step: what happens to it.

    Raises:
        InternalError: the step is not possible in this state.
    """
    try:
        return SLOT_MOVES[state, step]
    except KeyError:
        problem = f"the child {name} is in the state {state.value!r}"
        raise InternalError(
            f"{problem}, in which the step {step.value!r} is not possible"
        ) from None
