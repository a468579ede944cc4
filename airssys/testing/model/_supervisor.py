"""OTP's supervisor in plain Python: what supervision should do, computed only.

The model handles one message completely before it takes the next, like OTP: starting
and stopping are function calls, and the time that they take is added to the clock. A
real supervisor must report the same events for each supervisor, in the same order, and
take the same time. Rule numbers are those of OTP's behaviour, as the tests name them.

The additions to OTP are here too: a pause before a restart, in which those that share
the restart are down, and what an end means for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeAlias

from airssys.contracts import (
    ActorSpec,
    AutoShutdown,
    BrutalKill,
    ChildSpec,
    DynamicSupervisorSpec,
    RestartType,
    Strategy,
    SupervisorSpec,
    child_name,
    find_child_mistakes,
    find_spec_mistakes,
)

from ._child import ModelChild, Sequel, is_expected, is_proper, pause_after, sequel
from ._clock_and_habits import (
    CRASH,
    FAILS,
    HANGS,
    IGNORES,
    KILLED,
    SHUTDOWN,
    End,
    Script,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    AnySupervisorSpec: TypeAlias = SupervisorSpec | DynamicSupervisorSpec
    Maker: TypeAlias = Callable[[AnySupervisorSpec, str, Script], "ModelSupervisor"]

_FAILURES = {FAILS, HANGS}


class ModelSupervisor:
    """One incarnation of a supervisor."""

    def __init__(
        self, spec: AnySupervisorSpec, path: str, world: Script, make: Maker
    ) -> None:
        self.path, self.world, self._make = path, world, make
        self.children = self._places_of(spec)
        self.given = spec
        """The last specifications of its children that were set from outside."""
        self.intensity, self.strategy = spec.intensity, Strategy.ONE_FOR_ONE
        self.auto_shutdown = AutoShutdown.NEVER
        self._adopt(spec)
        self.stamps: list[float] = []
        self.mailbox: deque[tuple[Callable[[ModelChild], None], ModelChild]] = deque()
        self.ended: End | None = None
        """Whether it has ended by itself."""

    @staticmethod
    def _places_of(spec: AnySupervisorSpec) -> list[ModelChild]:
        children = spec.children if isinstance(spec, SupervisorSpec) else ()
        return [ModelChild(child) for child in children]

    def _adopt(self, spec: AnySupervisorSpec) -> None:
        self.intensity = spec.intensity
        if isinstance(spec, SupervisorSpec):
            self.strategy, self.auto_shutdown = spec.strategy, spec.auto_shutdown

    # ---------------------------------------------------------------- from outside

    def open(self) -> bool:
        """Start all children; if one fails, stop the others, return False (12, 13)."""
        for child in tuple(self.children):
            outcome = self._start(child)
            if outcome in _FAILURES:
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
        """Let a child end by itself; this is handled in its turn."""
        child.end = end
        self.mailbox.append((self._serve_end, child))

    def run(self) -> None:
        """Handle everything that is waiting, here and below."""
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
        """Return when the next pause ends, here or below."""
        dues = [child.due for child in self.children if child.due is not None]
        for child in self.children:
            if child.below is not None and child.is_alive:
                below = child.below.next_due()
                dues += [] if below is None else [below]
        return min(dues, default=None)

    def serve_due(self) -> None:
        """Make the restarts whose pause ends now, here and below."""
        for child in tuple(self.children):
            if child.due is not None and child.due <= self.world.now:
                self._serve_retry(child)
            elif child.below is not None and child.is_alive:
                child.below.serve_due()

    # -------------------------------------------------------------------- requests

    def start_child(self, spec: ChildSpec) -> str:
        """Add a child (16, 17); return the answer."""
        if find_child_mistakes(spec, self.auto_shutdown):
            return "INVALID_SPEC"
        known = self.find(child_name(spec))
        if known is not None:
            return "ALREADY_STARTED" if known.is_alive else "ALREADY_PRESENT"
        child = ModelChild(spec)
        self.children.append(child)
        outcome = self._start(child)
        if outcome in _FAILURES or (outcome == IGNORES and self._forgets(child)):
            self.children.remove(child)
        return _answer_to_start(outcome)

    def start_from_template(self, *arguments: object) -> str:
        """Refuse: children made from a template have a dynamic supervisor."""
        return "NO_TEMPLATE"

    def terminate_child(self, name: str) -> str:
        """Stop a child, or cancel its restart (47)."""
        child = self.find(name)
        if child is None:
            return "NOT_FOUND"
        self._stop(child)
        self._settle(child)
        return "Done"

    def kill_child(self, name: str) -> str:
        """Kill a child; its end is handled like others."""
        child = self.find(name)
        if child is None:
            return "NOT_FOUND"
        if child.is_alive and child.end is None:
            if child.below is not None:
                child.below.be_killed()
            self.child_ends(child, End(KILLED))
        return "Done"

    def be_killed(self, *, stops: bool = False) -> None:
        """End everything below at once, the newest first; its meaning is not reported.

        Further below (`stops`) it is as if each supervisor stopped its children, which
        take no time.
        """
        for child in tuple(reversed(self.children)):
            if child.is_alive:
                asked, end = child.end is None, child.end
                is_kill = not stops or isinstance(child.spec.shutdown, BrutalKill)
                if end is None and child.below is not None:
                    child.below.be_killed(stops=True)
                end = end or (End(KILLED) if is_kill else End(SHUTDOWN, is_plain=True))
                is_fine = not stops or is_proper(child.spec, end)
                problem = None if is_fine else "shutdown_error"
                self._tell_end(child, end.kind, asked=asked, problem=problem)

    def restart_child(self, name: str) -> str:
        """Start a child that does not run (48)."""
        child = self.find(name)
        if child is None or child.presence != "none":
            return "NOT_FOUND" if child is None else child.presence.upper()
        return _answer_to_start(self._start(child))

    def delete_child(self, name: str) -> str:
        """Forget a child that does not run (48)."""
        child = self.find(name)
        if child is None or child.presence != "none":
            return "NOT_FOUND" if child is None else child.presence.upper()
        self.children.remove(child)
        return "Done"

    def change_specs(self, spec: AnySupervisorSpec) -> str:
        """Replace flags and specifications (56); nothing starts or stops."""
        if not isinstance(spec, SupervisorSpec) or find_spec_mistakes(spec):
            return "INVALID_SPEC"
        self.world.inits[self.path] = spec
        for each in spec.children:
            if isinstance(each, SupervisorSpec | DynamicSupervisorSpec):
                self._restate(each)
        self.given = spec
        wanted = [self._place_for(each) for each in spec.children]
        self.children = wanted + [c for c in self.children if c not in wanted]
        self._adopt(spec)
        return "Done"

    def _restate(self, spec: AnySupervisorSpec) -> None:
        """Let a supervisor below start again with its specification, if that is new."""
        given = self.given.children if isinstance(self.given, SupervisorSpec) else ()
        before = next((c for c in given if child_name(c) == spec.name), None)
        if before is None or _inside(before) != _inside(spec):
            path = f"{self.path}/{spec.name}"
            for each in [p for p in self.world.inits if f"{p}/".startswith(f"{path}/")]:
                del self.world.inits[each]

    def _place_for(self, spec: ChildSpec) -> ModelChild:
        child = self.find(child_name(spec)) or ModelChild(spec)
        child.spec = spec
        return child

    # ------------------------------------------------------------- single children

    def _forgets(self, child: ModelChild) -> bool:
        """Say whether a child that has ended is forgotten."""
        return child.is_temporary

    def _settle(self, child: ModelChild) -> None:
        child.rest()
        if self._forgets(child):
            self.children.remove(child)

    def _start(self, child: ModelChild, *, again: bool = False) -> str | None:
        child.rest()
        outcome = self.world.outcome(child.name)
        if isinstance(child.spec, SupervisorSpec | DynamicSupervisorSpec):
            path = f"{self.path}/{child.name}"
            init: Any = self.world.inits.get(path, child.spec)
            child.below = self._make(init, path, self.world)
            outcome = None if child.below.open() else FAILS
        elif outcome == HANGS:
            self.world.now += child.spec.start_timeout
        else:
            self.world.now += self.world.habit(child.name).start_seconds
        if outcome in _FAILURES:
            is_worker = isinstance(child.spec, ActorSpec)
            self._tell("failed", child, CRASH if is_worker else SHUTDOWN, again)
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
        problem = None if is_proper(child.spec, end) else "shutdown_error"
        self._tell_end(child, end.kind, asked=asked, problem=problem)

    def _end_of_stop(self, child: ModelChild) -> End:
        """Ask, wait, kill (40)."""
        habit, shutdown = self.world.habit(child.name), child.spec.shutdown
        if child.below is not None:
            child.below.close()
            return End(SHUTDOWN, is_plain=True)
        if isinstance(shutdown, BrutalKill):
            return End(KILLED)
        self.world.now += min(habit.stop_seconds, shutdown)
        if habit.stop_seconds > shutdown:
            return End(KILLED)
        return End(CRASH) if habit.stops_badly else End(SHUTDOWN, is_plain=True)

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
        """Rules 20-22, after the directive for the error."""
        if child.end is None or child not in self.children:
            return
        end = child.end
        child.is_alive, child.end = False, None
        if self.world.now - child.ready_at >= child.spec.backoff.reset_after:
            child.failures = 0
        is_permanent = child.spec.restart is RestartType.PERMANENT
        is_fine = is_expected(end) and not is_permanent
        problem, follows = (
            None if is_fine else "child_terminated",
            sequel(child.spec, end),
        )
        if follows is Sequel.RESTART:
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
        if follows is Sequel.ESCALATION:
            child.rest()
            self._end(End(CRASH, error=end.error))
            return
        self._settle(child)
        if self._shuts_down_with(child):
            self._end(End(SHUTDOWN))

    def _shuts_down_with(self, child: ModelChild) -> bool:
        """Rules 49 and 50."""
        mode = self.auto_shutdown
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
        if len(self.stamps) > self.intensity.restarts:
            self._tell("gave up", child, len(self.stamps))
            child.rest()
            self._end(End(SHUTDOWN, is_plain=True))
            return
        group = self._group(child)
        self._clear(child, group)
        for member in group:
            if member in self.children:
                outcome = self._start(member, again=True)
                if outcome in _FAILURES:
                    self._try_again(member)
                    return
                if outcome == IGNORES and self._forgets(member):
                    self.children.remove(member)

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
        self._clear(child, [member for member in group if member.is_alive])
        for member in group:
            member.due = None
            member.is_restarting = False
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
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                return [child]
            case Strategy.ONE_FOR_ALL:
                return list(self.children)
            case Strategy.REST_FOR_ONE:
                return self.children[self.children.index(child) :]

    def _recent(self, now: float) -> list[float]:
        """Rule 31: the edge of the window counts."""
        return [t for t in self.stamps if t >= now - self.intensity.period]

    def _allows(self, at: float) -> bool:
        return len(self._recent(at)) < self.intensity.restarts

    def _pause(self, child: ModelChild) -> float:
        failures = child.failures
        child.failures += 1
        return pause_after(child.spec.backoff, failures, self.world.rng)

    def _end(self, end: End) -> None:
        self.close()
        self.ended = end
        self.mailbox.clear()


def _inside(spec: ChildSpec) -> tuple[object, ...]:
    """Return what a specification says of a supervisor itself."""
    match spec:
        case SupervisorSpec():
            flags = spec.strategy, spec.intensity, spec.auto_shutdown
            return (spec.children, *flags)
        case DynamicSupervisorSpec():
            return spec.template, spec.max_children, spec.intensity
        case _:
            return ()


def _answer_to_start(outcome: str | None) -> str:
    if outcome in _FAILURES:
        return "START_FAILED"
    return "Ignored" if outcome == IGNORES else "Started"
