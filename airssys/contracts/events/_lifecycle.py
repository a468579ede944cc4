"""The life of an actor, or of any child, as a table of states and moves.

| step                | absent     | running    | restarting | unstopped  |
|---------------------|------------|------------|------------|------------|
| started             | running    |            | running    |            |
| start failed        | absent     |            | absent     |            |
| start failed, again | restarting |            | restarting |            |
| ended               | absent     | absent     | absent     |            |
| ended, again        |            | restarting |            |            |
| stopped             | absent     | absent     | absent     | absent     |
| stopped, again      | restarting | restarting | restarting | restarting |
| unstopped           | unstopped  | unstopped  | unstopped  | unstopped  |

`again` means that another start will follow; `stopped` is an end that was asked for. An
empty cell cannot happen: no child is started twice at once; a child that ended by
itself and will be restarted was known to run; and a child that was reported as
unstopped had been asked to stop.

* *absent*: the child has no incarnation and none will follow: before the first start,
  and after the last end.
* A child may end without having been reported as started, if it was asked to stop
  before its supervisor could report the start.
* A child that was stopped may be started later although no start was announced: by
  hand, or together with its siblings.
* A supervisor that ends takes its `restarting` children with it. No supervisor is left
  to start them, and no event reports this.
* All other events report what an actor does, and do not change its state.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from airssys.contracts.errors import InternalError

from ._events import (
    ChildEvent,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    ChildUnstopped,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ._events import Event


class LifeState(enum.Enum):
    """The state of a child, as far as events report it."""

    ABSENT = "absent"
    RUNNING = "running"
    RESTARTING = "restarting"
    UNSTOPPED = "unstopped"


class LifeStep(enum.Enum):
    """What an event means for the life of a child."""

    STARTED = "started"
    START_FAILED = "start failed"
    START_FAILED_AGAIN = "start failed, again"
    ENDED = "ended"
    ENDED_AGAIN = "ended, again"
    STOPPED = "stopped"
    STOPPED_AGAIN = "stopped, again"
    UNSTOPPED = "unstopped"


_ABSENT, _RUNNING = LifeState.ABSENT, LifeState.RUNNING
_RESTARTING, _UNSTOPPED = LifeState.RESTARTING, LifeState.UNSTOPPED

MOVES: Final[Mapping[tuple[LifeState, LifeStep], LifeState]] = MappingProxyType(
    {
        (_ABSENT, LifeStep.STARTED): _RUNNING,
        (_ABSENT, LifeStep.START_FAILED): _ABSENT,
        (_ABSENT, LifeStep.START_FAILED_AGAIN): _RESTARTING,
        (_ABSENT, LifeStep.ENDED): _ABSENT,
        (_RUNNING, LifeStep.ENDED): _ABSENT,
        (_RUNNING, LifeStep.ENDED_AGAIN): _RESTARTING,
        (_RESTARTING, LifeStep.STARTED): _RUNNING,
        (_RESTARTING, LifeStep.START_FAILED): _ABSENT,
        (_RESTARTING, LifeStep.START_FAILED_AGAIN): _RESTARTING,
        (_RESTARTING, LifeStep.ENDED): _ABSENT,
        **{(state, LifeStep.STOPPED): _ABSENT for state in LifeState},
        **{(state, LifeStep.STOPPED_AGAIN): _RESTARTING for state in LifeState},
        **{(state, LifeStep.UNSTOPPED): _UNSTOPPED for state in LifeState},
    }
)
"""The state that each step leads to; steps that are not listed cannot happen."""


def step_of(event: Event) -> LifeStep | None:
    """Return what an event means for the life of its child; None if nothing."""
    match event:
        case ChildStarted():
            return LifeStep.STARTED
        case ChildStartFailed(restarting=True):
            return LifeStep.START_FAILED_AGAIN
        case ChildStartFailed():
            return LifeStep.START_FAILED
        case ChildExited(asked=True):
            return LifeStep.STOPPED_AGAIN if event.restarting else LifeStep.STOPPED
        case ChildExited():
            return LifeStep.ENDED_AGAIN if event.restarting else LifeStep.ENDED
        case ChildUnstopped():
            return LifeStep.UNSTOPPED
        case _:
            return None


def next_state(state: LifeState, event: Event) -> LifeState:
    """Return the state of a child after one of its events, or one of its actor.

    Raises:
        InternalError: the event cannot follow that state.
    """
    step = step_of(event)
    if step is None:
        return state
    try:
        return MOVES[state, step]
    except KeyError:
        problem = f"'{step.value}' cannot happen to a child that is {state.value}"
        raise InternalError(f"{problem} ({event})") from None


def follow(events: Iterable[Event]) -> dict[tuple[str, str], LifeState]:
    """Return the state of each child after some events, starting with the first.

    Returns:
        The state of each child that the events mention, by the path of its supervisor
        and its own name.

    Raises:
        InternalError: one of the events cannot follow those before it.
    """
    states: dict[tuple[str, str], LifeState] = {}
    for event in events:
        if isinstance(event, ChildEvent):
            place = event.supervisor, event.child
            states[place] = next_state(states.get(place, LifeState.ABSENT), event)
    return states
