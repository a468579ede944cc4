"""The slots of a supervisor's children, and the cell that outlives each child."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias, final

import attrs

from airssys.contracts import (
    SUPERVISOR_SPECS,
    ActorSpec,
    Answer,
    ChildInfo,
    ChildSpec,
    ComponentSpec,
    Directive,
    Done,
    DynamicSupervisorSpec,
    ExitReason,
    PoolSpec,
    Presence,
    RestartType,
    SupervisorSpec,
    TaskSpec,
    child_name,
)
from airssys.nursery.restarts import Declared, without_arguments

from ._child import Child, Incarnation
from ._reply import Reply
from ._slot_states import (
    PRESENCES,
    SLOT_MOVES,
    SlotState,
    SlotStep,
    next_slot_state,
)


class Start(enum.Enum):
    """Why a child is started; decides what follows if it fails."""

    FIRST = "with its supervisor"
    ADDED = "as a new child, by request"
    BY_HAND = "again, by request"
    AGAIN = "again, after an end"


class Cell(Protocol):
    """What outlives the incarnations of one child: for an actor, name and mailbox."""

    def incarnate(self) -> Incarnation:
        """Make a fresh incarnation."""
        ...

    def release(self, why: str = "", /) -> None:
        """Give up name and mailbox: no incarnation follows. Doing it again does nothing.

        A request for the name afterwards is answered by `why`, a clause such as
        `root/web gave up`; without one the name is not remembered.
        """
        ...


CellMaker: TypeAlias = Callable[[Declared], Cell]
"""Makes the cell of a child that is declared so."""
_KINDS: Final[Mapping[type[ChildSpec], str]] = {
    ActorSpec: "actor",
    ComponentSpec: "actor",
    DynamicSupervisorSpec: "supervisor",
    PoolSpec: "pool",
    SupervisorSpec: "supervisor",
    TaskSpec: "task",
}
"""What kind of cell each child has; one of the same kind survives a change."""


@final
@attrs.define(eq=False)
class Slot:
    """One child among the children of a supervisor; only its supervisor changes it."""

    declared: Declared
    cell: Cell
    name: str = attrs.field(init=False)
    """Its name among its siblings."""
    _state: SlotState = attrs.field(init=False, default=SlotState.UNSTARTED)
    child: Child | None = None
    """The present incarnation; None before the first and once an end was reported."""
    start: Start = Start.FIRST
    """Why the present incarnation was started."""
    was_ready: bool = False
    """One incarnation was, at some time."""
    restarts: int = 0
    """Times it was ready again."""
    ready_at: float = 0.0
    """Trio time."""
    failures: int = 0
    """In a row, for back-off."""
    retry: object | None = None
    """Marks the restart that is due; None if none is. A new one replaces it."""
    retry_at: float = 0.0
    """Trio time of the restart that is due."""
    last_end: ExitReason | None = None
    """How the last incarnation ended, while a restart is due."""
    start_reply: Reply | None = None
    """Answered when this start has succeeded or failed."""
    stop_replies: tuple[Reply, ...] = ()
    """Answered when it has ended."""
    is_vacant: bool = False
    """Its cell was released; the next start makes a new one."""
    _kind: str = attrs.field(init=False)
    """The kind of child that its cell was made for."""

    def __attrs_post_init__(self) -> None:
        spec = self.declared.spec
        self.name, self._kind = child_name(spec), _KINDS[type(spec)]

    @property
    def spec(self) -> ChildSpec:
        """What the child is declared to be now."""
        return self.declared.declaration.spec

    @property
    def state(self) -> SlotState:
        """The state of the child; only `move` changes it."""
        return self._state

    def move(self, step: SlotStep) -> None:
        """Change the state of the child.

        Raises:
            InternalError: the step is not possible in this state.
        """
        # A restart takes four steps: only one that is not possible pays for a call.
        after = SLOT_MOVES.get((self._state, step))
        self._state = after or next_slot_state(self.name, self._state, step)

    @property
    def is_occupied(self) -> bool:
        """There is a child, starting, running or stopping."""
        return self.child is not None

    @property
    def is_active(self) -> bool:
        """It runs, or is about to: what `all_significant` counts."""
        presence = PRESENCES[self.state]
        return presence is not Presence.NONE and self.state is not SlotState.STOPPING

    @property
    def is_new_and_stopping(self) -> bool:
        """It was added by request, and is stopped before it was ever ready."""
        is_new = self.start is Start.ADDED and not self.was_ready
        return is_new and self.state is SlotState.STOPPING

    def note_ready(self, now: float = 0.0) -> None:
        """Count a start that succeeded."""
        self.restarts += self.was_ready
        self.was_ready = True
        self.ready_at = now
        self.move(SlotStep.READY)

    def be_down(self) -> None:
        """Leave the slot empty for a while, with its name and mailbox."""
        self.child = self.retry = None
        self.move(SlotStep.LIE_DOWN)

    def retire(self, why: str = "it was stopped") -> None:
        """Leave the slot empty for good, or until a new start is requested.

        Args:
            why: as for `Cell.release`.
        """
        self.child = self.retry = None
        self.move(SlotStep.RETIRE)
        self.is_vacant = True
        self.cell.release(why)

    def make_cell(self, make: CellMaker) -> None:
        """Make a new cell if the old one was released, or is for another kind of child."""
        kind = _KINDS[type(self.spec)]
        if kind is self._kind and not self.is_vacant:
            return
        if not self.is_vacant:
            self.cell.release("it was declared anew")
        self.cell, self.is_vacant, self._kind = make(self.declared), False, kind

    def drop_arguments(self) -> None:
        """Let go of the arguments of a temporary child that is started only once."""
        spec = self.spec
        if spec.restart is not RestartType.TEMPORARY:
            return
        if not any(way is Directive.RESTART for _, way in spec.on_error):
            self.declared.declare_again(without_arguments(spec))

    def answer_start(self, answer: Answer) -> None:
        """Answer the request for the start, if there was one."""
        if self.start_reply is not None:
            self.start_reply.give(answer)
            self.start_reply = None

    def answer_stops(self) -> None:
        """Answer all requests that wait for its end."""
        replies, self.stop_replies = self.stop_replies, ()
        for reply in replies:
            reply.give(Done(self.name))

    def info(self) -> ChildInfo:
        """Describe it as it is now."""
        return ChildInfo(
            self.name,
            PRESENCES[self.state],
            isinstance(self.spec, SUPERVISOR_SPECS),
            self.restarts,
        )
