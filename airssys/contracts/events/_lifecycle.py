"""The life of an actor, or of any child, as its events tell it: states and moves.

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

`again` is the promise of another start; `stopped` is an end that was asked for. An empty
cell cannot happen: no child is started twice at once, one that ended by itself and will
be started again was known to run, and one that was reported as unstopped had been asked
to stop.

* *absent*: no incarnation is known and none is promised: before the first start, and
  after the last end.
* An end without a start before it is one that came before its supervisor had told of
  the start: it had been asked to stop meanwhile.
* A child that was stopped may be started again without a promise: by hand, or together
  with its siblings.
* A supervisor that ends takes those of its children with it that are `restarting`:
  there is nobody left who would start them, and no event says so.
* All other events tell of what an actor does, and move nothing.
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
    """Where a child stands, as far as events tell."""

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
"""Where each step leads; what is not here cannot happen."""


def step_of(event: Event) -> LifeStep | None:
    """Say what an event means for the life of its child; None if nothing."""
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
    """Say where a child stands after one of its events, or one of its actor.

    Raises:
        InternalError: the event cannot follow.
    """
    step = step_of(event)
    if step is None:
        return state
    try:
        return MOVES[state, step]
    except KeyError:
        problem = f"an actor that is {state.value} cannot be told of as {step.value}"
        raise InternalError(f"{problem} ({event})") from None


def follow(events: Iterable[Event]) -> dict[tuple[str, str], LifeState]:
    """Say where each child stands after some events, from the first one on.

    Returns:
        The state of each child that was told of, by the path of its supervisor and
        its own name.

    Raises:
        InternalError: one of the events cannot follow those before it.
    """
    states: dict[tuple[str, str], LifeState] = {}
    for event in events:
        if isinstance(event, ChildEvent):
            place = event.supervisor, event.child
            states[place] = next_state(states.get(place, LifeState.ABSENT), event)
    return states
