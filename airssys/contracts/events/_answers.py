"""Requests to a running supervisor, and its answers, as values."""

from __future__ import annotations

import enum
from typing import TypeAlias, final

import attrs

from airssys.contracts.errors import ExitReason, Mistake
from airssys.contracts.texts import one_line


class Refusal(enum.Enum):
    """Why a supervisor refused a request."""

    ALREADY_STARTED = "a child of that name is running"
    ALREADY_PRESENT = "a child of that name already exists; restart or delete it"
    NAME_TAKEN = "an actor elsewhere in the system has that name"
    NOT_FOUND = "there is no child of that name"
    RUNNING = "the child is running; terminate it first"
    RESTARTING = "the child is being started; terminate it first"
    START_FAILED = "the child did not become ready"
    CUT_OFF = "the child was stopped before it was ready"
    MAX_CHILDREN = "the supervisor has its maximum number of children"
    DYNAMIC = "a dynamic supervisor forgets children that do not run"
    NO_TEMPLATE = "this supervisor has no template to make children from"
    INVALID_SPEC = "the specification is wrong"
    NOT_RUNNING = "the supervisor is not running"
    POOL = "a pool starts and ends its members itself; resize it"
    POOL_SIZE = "a pool may not have that many members"
    NO_COMPONENT = "only the code of components can be replaced"
    DOWN = "the actor is not running"
    REPLACING = "the actor is already being replaced"
    ITSELF = (
        "the child itself asks, and would wait for its own end; let it return instead"
    )
    STATE_NOT_TAKEN = "the old state could not be handed over"


@final
@attrs.frozen
class Started:
    """The child is ready."""

    child: str


@final
@attrs.frozen
class Ignored:
    """The child chose not to run. If it is temporary and was added, it is forgotten."""

    child: str


@final
@attrs.frozen
class Done:
    """The request is fulfilled, perhaps because it already was before."""

    child: str = ""


@final
@attrs.frozen
class Refused:
    """Nothing was changed; `START_FAILED` and `CUT_OFF` leave no new child behind."""

    why: Refusal
    child: str = ""
    reason: ExitReason | None = None
    """How the child ended if it did not start; or what happened to its state."""
    mistakes: tuple[Mistake, ...] = ()
    """Everything that is wrong with the specification."""

    def __str__(self) -> str:
        details = [str(self.reason)] if self.reason else list(map(str, self.mistakes))
        text = f"{self.child}: {self.why.value}" if self.child else self.why.value
        return one_line(f"{text} ({'; '.join(details)})" if details else text)


Answer: TypeAlias = Started | Ignored | Done | Refused


class Presence(enum.Enum):
    """Whether there is a child for a specification."""

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
    """How often it became ready again after its first start."""


@final
@attrs.frozen
class ChildCounts:
    """How many children a supervisor has."""

    specs: int
    active: int
    """Those that run. A child that is being restarted does not count."""
    supervisors: int
    """Of the specifications, whether their children run or not."""
    workers: int
