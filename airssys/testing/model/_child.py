"""One child in a model of supervision, and the rules that only concern one child.

Rule numbers are those of OTP's behaviour, as the tests name them.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, final

import attrs

from airssys.contracts import (
    Backoff,
    BrutalKill,
    ChildSpec,
    Directive,
    Growth,
    RestartType,
    child_name,
)

from ._clock_and_habits import CRASH, KILLED, NORMAL, SHUTDOWN, End

if TYPE_CHECKING:
    import random


class ModelBelow(Protocol):
    """What a model of a supervisor is for the one above it."""

    children: list[ModelChild]
    ended: End | None
    """Whether it has ended by itself."""

    def open(self) -> bool: ...
    def close(self) -> None: ...
    def be_killed(self, *, stops: bool = False) -> None: ...
    def run(self) -> None: ...
    def next_due(self) -> float | None: ...
    def serve_due(self) -> None: ...
    def find(self, name: str) -> ModelChild | None: ...


@final
@attrs.define(eq=False)
class ModelChild:
    """The cell of one child."""

    spec: ChildSpec
    name: str = attrs.field(init=False)
    is_alive: bool = False
    below: ModelBelow | None = None
    """The supervisor that runs here, if it is one."""
    end: End | None = None
    """It ended, and its supervisor has not handled that yet."""
    is_restarting: bool = False
    due: float | None = None
    """When the pause before its restart ends."""
    was_ready: bool = False
    restarts: int = 0
    failures: int = 0
    ready_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.name = child_name(self.spec)

    @property
    def is_temporary(self) -> bool:
        """Whether it is not restarted with others, and forgotten when it ends."""
        return self.spec.restart is RestartType.TEMPORARY

    @property
    def presence(self) -> str:
        """Its state in `which_children`."""
        if self.is_alive:
            return "running"
        return "restarting" if self.is_restarting else "none"

    def rest(self) -> None:
        """Set it to neither running nor restarting."""
        self.is_alive = self.is_restarting = False
        self.due = self.end = self.below = None


class Sequel(enum.Enum):
    """What follows an end."""

    RESTART = "it is restarted"
    NOTHING = "it stays as it is, or is forgotten"
    ESCALATION = "its supervisor fails with the same error"


def sequel(spec: ChildSpec, end: End) -> Sequel:
    """Return what follows an end; `on_error` comes before rules 20-22."""
    error = end.error if end.kind == CRASH else None
    for kind, directive in spec.on_error if error else ():
        if error is not None and issubclass(error, kind):
            return {
                Directive.RESTART: Sequel.RESTART,
                Directive.ESCALATE: Sequel.ESCALATION,
            }.get(directive, Sequel.NOTHING)
    if spec.restart is RestartType.PERMANENT:
        return Sequel.RESTART
    is_over = is_expected(end) or spec.restart is RestartType.TEMPORARY
    return Sequel.NOTHING if is_over else Sequel.RESTART


def is_expected(end: End) -> bool:
    """Say whether an end is not a failure."""
    return end.kind in {NORMAL, SHUTDOWN}


def is_proper(spec: ChildSpec, end: End) -> bool:
    """Say whether a child that was stopped ended as it should (43)."""
    is_brutal = isinstance(spec.shutdown, BrutalKill)
    if is_brutal and end.kind == KILLED:
        return True
    if not is_brutal and end.is_plain:
        return True
    return spec.restart is not RestartType.PERMANENT and is_expected(end)


def pause_after(backoff: Backoff, failures: int, rng: random.Random) -> float:
    """Return the seconds to wait after that many earlier failures."""
    pause = min(backoff.cap, backoff.first * _growth(backoff, failures))
    return rng.uniform(0.0, pause) if backoff.jitter else pause


def _growth(backoff: Backoff, number: int) -> float:
    match backoff.growth:
        case Growth.CONSTANT:
            return 1.0
        case Growth.LINEAR:
            return number + 1.0
        case Growth.EXPONENTIAL:
            return float(backoff.factor) ** number
