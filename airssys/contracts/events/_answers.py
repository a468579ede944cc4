"""What can be asked of a running supervisor, and its answers, as values."""

from __future__ import annotations

import enum
from typing import TypeAlias, final

import attrs

from airssys.contracts.errors import ExitReason, Mistake
from airssys.contracts.texts import one_line


class Refusal(enum.Enum):
    """Why a supervisor did not do what it was asked."""

    ALREADY_STARTED = "a child of that name runs"
    ALREADY_PRESENT = "a child of that name is known; restart or delete it"
    NAME_TAKEN = "an actor elsewhere in the system has that name"
    NOT_FOUND = "there is no child of that name"
    RUNNING = "the child runs; terminate it first"
    RESTARTING = "the child is being started; terminate it first"
    START_FAILED = "the child did not become ready"
    CUT_OFF = "the child was stopped before it was ready"
    MAX_CHILDREN = "there are as many children as there may be"
    DYNAMIC = "a dynamic supervisor keeps nothing of a child that does not run"
    NO_TEMPLATE = "this supervisor makes no children from a template"
    INVALID_SPEC = "the specification is wrong"
    NOT_RUNNING = "the supervisor does not run"
    POOL = "a pool has as many members as it should have; resize it"
    POOL_SIZE = "a pool may not have so many members"
    NO_COMPONENT = "only the code of components can be replaced"
    DOWN = "the actor does not run now"
    REPLACING = "the actor is being replaced already"
    STATE_NOT_TAKEN = "the old state could not be handed over"


@final
@attrs.frozen
class Started:
    """The child is ready."""

    child: str


@final
@attrs.frozen
class Ignored:
    """The child chose not to run; a temporary one that was added is forgotten."""

    child: str


@final
@attrs.frozen
class Done:
    """It is as was asked for, perhaps already before."""

    child: str = ""


@final
@attrs.frozen
class Refused:
    """Nothing was changed; `START_FAILED` and `CUT_OFF` leave no new child behind."""

    why: Refusal
    child: str = ""
    reason: ExitReason | None = None
    """How the child ended, if it did not start; what its state met on the way."""
    mistakes: tuple[Mistake, ...] = ()
    """All that is wrong with the specification."""

    def __str__(self) -> str:
        details = [str(self.reason)] if self.reason else list(map(str, self.mistakes))
        text = f"{self.child}: {self.why.value}" if self.child else self.why.value
        return one_line(f"{text} ({'; '.join(details)})" if details else text)


Answer: TypeAlias = Started | Ignored | Done | Refused


class Presence(enum.Enum):
    """Whether there is a child behind a specification."""

    RUNNING = "running"
    RESTARTING = "restarting"
    NONE = "none"


@final
@attrs.frozen
class ChildInfo:
    """One child, as its supervisor sees it."""

    child: str
    presence: Presence
    is_supervisor: bool
    restarts: int = 0
    """Times it was ready again after its first start."""


@final
@attrs.frozen
class ChildCounts:
    """How many children a supervisor has."""

    specs: int
    active: int
    """Those that run; one that is being restarted does not count."""
    supervisors: int
    """Of the specs, whether they run or not."""
    workers: int
