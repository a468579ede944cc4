"""OTP's supervisor as plain Python: what supervision should do, without doing it.

The model handles one message to the end before it takes the next, as OTP does: nothing
takes time, starting and stopping are function calls. A real supervisor whose children
start and stop promptly must tell the same story of each supervisor, event by event.
Rule numbers are those of OTP's behaviour as the tests name them.

What goes beyond OTP is here too: a pause before a restart, in which those that share
the restart are down, and what an end means for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, final

import attrs

from airssys.contracts import (
    ActorSpec,
    AutoShutdown,
    Backoff,
    BrutalKill,
    ChildSpec,
    Growth,
    RestartType,
    Strategy,
    SupervisorSpec,
    child_name,
)

from ._world import CRASH, FAILS, IGNORES, KILLED, NORMAL, SHUTDOWN, End, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@final
@attrs.define(eq=False)
class ModelChild:
    """One child's place."""

    spec: ChildSpec
    name: str = attrs.field(init=False)
    is_alive: bool = False
    below: ModelSupervisor | None = None
    """The supervisor that lives here, if it is one."""
    end: End | None = None
    """It ended, and its supervisor has not dealt with that yet."""
    is_restarting: bool = False
    due: float | None = None
    """When the pause before its restart is over."""
    was_ready: bool = False
    restarts: int = 0
    failures: int = 0
    ready_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.name = child_name(self.spec)

    @property
    def is_temporary(self) -> bool:
        """It is never restarted, and nothing is kept of it."""
        return self.spec.restart is RestartType.TEMPORARY

    @property
    def presence(self) -> str:
        """What `which_children` says of it."""
        if self.is_alive:
            return "running"
        return "restarting" if self.is_restarting else "none"

    def rest(self) -> None:
        """Be neither running nor about to."""
        self.is_alive = self.is_restarting = False
        self.due = self.end = self.below = None


@final
class ModelSupervisor:
    """One incarnation of a supervisor."""

    def __init__(self, spec: SupervisorSpec, path: str, world: World) -> None:
        self.spec, self.path, self.world = spec, path, world
        self.children = [ModelChild(child) for child in spec.children]
        self.stamps: list[float] = []
        self.mailbox: deque[tuple[Callable[[ModelChild], None], ModelChild]] = deque()
        self.ended: End | None = None
        """It has ended by itself."""

    # ---------------------------------------------------------------- from outside

    def open(self) -> bool:
        """Start all children; if one fails, stop the others and say False (12, 13)."""
        for child in tuple(self.children):
            outcome = self._start(child)
            if outcome == FAILS:
                self.close()
                return False
            if outcome == IGNORES and child.is_temporary:
                self.children.remove(child)
        return True

    def close(self) -> None:
        """Stop all children in reverse order (39)."""
        for child in reversed(self.children):
            self._stop(child)

    def find(self, name: str) -> ModelChild | None:
        """Return a child by its name."""
        return next((child for child in self.children if child.name == name), None)

    def child_ends(self, child: ModelChild, end: End) -> None:
        """A child ends by itself; it is dealt with in its turn."""
        child.end = end
        self.mailbox.append((self._serve_end, child))

    def run(self) -> None:
        """Deal with everything there is, here and below."""
        while True:
            for child in tuple(self.children):
                if child.below is not None and child.is_alive and child.end is None:
                    child.below.run()
                    if child.below.ended is not None:
                        self.child_ends(child, child.below.ended)
            if not self.mailbox or self.ended is not None:
                return
            serve, child = self.mailbox.popleft()
            serve(child)

    def next_due(self) -> float | None:
        """Return when the next pause is over, here or below."""
        dues = [child.due for child in self.children if child.due is not None]
        for child in self.children:
            if child.below is not None and child.is_alive:
                below = child.below.next_due()
                dues += [] if below is None else [below]
        return min(dues, default=None)

    def serve_due(self) -> None:
        """Make the restarts whose pause is over now, here and below."""
        for child in tuple(self.children):
            if child.due is not None and child.due <= self.world.now:
                self._serve_retry(child)
            elif child.below is not None and child.is_alive:
                child.below.serve_due()

    # -------------------------------------------------------------------- requests

    def start_child(self, spec: ChildSpec) -> str:
        """Add a child (16, 17); return what is answered."""
        known = self.find(child_name(spec))
        if known is not None:
            return "ALREADY_STARTED" if known.is_alive else "ALREADY_PRESENT"
        child = ModelChild(spec)
        self.children.append(child)
        outcome = self._start(child)
        if outcome == FAILS or (outcome == IGNORES and child.is_temporary):
            self.children.remove(child)
        return {FAILS: "START_FAILED", IGNORES: "Ignored"}.get(outcome or "", "Started")

    def terminate_child(self, name: str) -> str:
        """Stop a child, or cancel its restart (47)."""
        child = self.find(name)
        if child is None:
            return "NOT_FOUND"
        self._stop(child)
        child.rest()
        if child.is_temporary:
            self.children.remove(child)
        return "Done"

    def restart_child(self, name: str) -> str:
        """Start a child that does not run (48)."""
        child = self.find(name)
        if child is None or child.presence != "none":
            return "NOT_FOUND" if child is None else child.presence.upper()
        outcome = self._start(child)
        if outcome == IGNORES and child.is_temporary:
            self.children.remove(child)
        return {FAILS: "START_FAILED", IGNORES: "Ignored"}.get(outcome or "", "Started")

    def delete_child(self, name: str) -> str:
        """Forget a child that does not run (48)."""
        child = self.find(name)
        if child is None or child.presence != "none":
            return "NOT_FOUND" if child is None else child.presence.upper()
        self.children.remove(child)
        return "Done"

    # ------------------------------------------------------------- single children

    def _start(self, child: ModelChild) -> str | None:
        child.rest()
        outcome = self.world.outcome(child.name)
        if isinstance(child.spec, SupervisorSpec):
            path = f"{self.path}/{child.name}"
            child.below = ModelSupervisor(child.spec, path, self.world)
            outcome = None if child.below.open() else FAILS
        if outcome == FAILS:
            is_worker = isinstance(child.spec, ActorSpec)
            self._tell("failed", child, CRASH if is_worker else SHUTDOWN)
            child.below = None
        elif outcome == IGNORES:
            self._tell_end(child, "ignored")
        else:
            child.is_alive, child.ready_at = True, self.world.now
            child.restarts += child.was_ready
            child.was_ready = True
            self._tell("started", child, child.restarts)
        return outcome

    def _stop(self, child: ModelChild) -> None:
        if not child.is_alive:
            return
        asked, end = child.end is None, child.end or self._end_of_stop(child)
        child.is_alive, child.end = False, None
        problem = None if self._is_proper(child.spec, end) else "shutdown_error"
        self._tell_end(child, end.kind, asked=asked, problem=problem)

    def _end_of_stop(self, child: ModelChild) -> End:
        if child.below is not None:
            child.below.close()
        elif isinstance(child.spec.shutdown, BrutalKill):
            return End(KILLED)
        elif child.name in self.world.stops_badly:
            return End(CRASH)
        return End(SHUTDOWN, is_plain=True)

    @staticmethod
    def _is_proper(spec: ChildSpec, end: End) -> bool:
        """Rule 43."""
        is_brutal = isinstance(spec.shutdown, BrutalKill)
        if is_brutal and end.kind == KILLED:
            return True
        if not is_brutal and end.is_plain:
            return True
        is_permanent = spec.restart is RestartType.PERMANENT
        return not is_permanent and end.kind in {NORMAL, SHUTDOWN}

    def _tell(self, what: str, child: ModelChild, *details: object) -> None:
        self.world.trace.append((self.path, what, child.name, *details))

    def _tell_end(
        self,
        child: ModelChild,
        kind: str,
        *,
        asked: bool = False,
        restarting: bool = False,
        problem: str | None = None,
    ) -> None:
        self._tell("exited", child, kind, asked, restarting, problem)

    # ------------------------------------------------------------ ends and restarts

    def _serve_end(self, child: ModelChild) -> None:
        """Rules 20-22."""
        if child.end is None or child not in self.children:
            return
        end = child.end
        child.is_alive, child.end = False, None
        if self.world.now - child.ready_at >= child.spec.backoff.reset_after:
            child.failures = 0
        is_expected = end.kind in {NORMAL, SHUTDOWN}
        is_permanent = child.spec.restart is RestartType.PERMANENT
        problem = None if is_expected and not is_permanent else "child_terminated"
        if is_permanent or not (is_expected or child.is_temporary):
            pause = self._pause(child)
            allowed = self._allows(self.world.now + pause)
            self._tell_end(child, end.kind, restarting=allowed, problem=problem)
            child.is_restarting = True
            if pause and allowed:
                self._wait(child, pause)
            else:
                self._attempt(child)
            return
        self._tell_end(child, end.kind, problem=problem)
        child.rest()
        if child.is_temporary:
            self.children.remove(child)
        if self._shuts_down_with(child):
            self._end(End(SHUTDOWN))

    def _shuts_down_with(self, child: ModelChild) -> bool:
        """Rules 49 and 50."""
        mode = self.spec.auto_shutdown
        if not child.spec.significant or mode is AutoShutdown.NEVER:
            return False
        left = (c for c in self.children if c.spec.significant)
        is_last = all(c.presence == "none" for c in left)
        return is_last or mode is AutoShutdown.ANY_SIGNIFICANT

    def _serve_retry(self, child: ModelChild) -> None:
        child.due = None
        if child.is_restarting and child in self.children and self.ended is None:
            self._attempt(child)

    def _attempt(self, child: ModelChild) -> None:
        """Rules 25-27, 31, 34: count, then restart the child and its group."""
        self.stamps = [*self._recent(self.world.now), self.world.now]
        if len(self.stamps) > self.spec.intensity.restarts:
            self._tell("gave up", child, len(self.stamps))
            child.rest()
            self._end(End(SHUTDOWN, is_plain=True))
            return
        group = self._group(child)
        self._clear(child, group)
        for member in group:
            if member in self.children and self._start(member) == FAILS:
                self._try_again(member)
                return

    def _try_again(self, child: ModelChild) -> None:
        """Rule 32."""
        child.is_restarting = True
        pause = self._pause(child)
        if not pause:
            self.mailbox.append((self._serve_retry, child))
        elif self._allows(self.world.now + pause):
            self._wait(child, pause)
        else:
            self._attempt(child)

    def _wait(self, child: ModelChild, pause: float) -> None:
        """Ours: those that share the restart are down while its pause lasts."""
        group = self._group(child)
        dues = [member.due for member in group if member.due is not None]
        self._clear(child, group)
        child.is_restarting = True
        child.due = max([self.world.now + pause, *dues])

    def _clear(self, child: ModelChild, group: Iterable[ModelChild]) -> None:
        for member in reversed(list(group)):
            if member is not child:
                self._stop(member)
                member.rest()
                if member.is_temporary:
                    self.children.remove(member)

    def _group(self, child: ModelChild) -> list[ModelChild]:
        match self.spec.strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return list(self.children)
            case Strategy.REST_FOR_ONE:
                return self.children[self.children.index(child) :]

    def _recent(self, now: float) -> list[float]:
        """Rule 31: the edge of the window counts."""
        return [t for t in self.stamps if t >= now - self.spec.intensity.period]

    def _allows(self, at: float) -> bool:
        return len(self._recent(at)) < self.spec.intensity.restarts

    @staticmethod
    def _pause(child: ModelChild) -> float:
        number, backoff = child.failures, child.spec.backoff
        child.failures += 1
        return min(backoff.cap, backoff.first * _growth(backoff, number))

    def _end(self, end: End) -> None:
        self.close()
        self.ended = end
        self.mailbox.clear()


def _growth(backoff: Backoff, number: int) -> float:
    match backoff.growth:
        case Growth.CONSTANT:
            return 1.0
        case Growth.LINEAR:
            return number + 1.0
        case Growth.EXPONENTIAL:
            return float(backoff.factor) ** number
