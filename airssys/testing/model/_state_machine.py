"""A hypothesis state machine that draws a tree and a script for a lockstep run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from hypothesis import HealthCheck, Phase, seed as seeded, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airssys.contracts import (
    NO_BACKOFF,
    ActorSpec,
    DynamicSupervisorSpec,
    RestartType,
    SupervisorSpec,
    child_name,
)

from ._clock_and_habits import FAILS, HANGS, IGNORES
from ._lockstep import ENDS, play
from ._steady_scheduling import steady_scheduling
from ._trees import (
    PAUSES,
    WISHES,
    all_below,
    changes,
    habits,
    is_slow,
    trees,
    workers,
)

if TYPE_CHECKING:
    from ._clock_and_habits import Habit
    from ._lockstep import Step

PHASES = (Phase.generate, Phase.shrink)
_OPERATIONS = (
    "terminate_child",
    "terminate_child",
    "kill_child",
    "kill_child",
    "restart_child",
    "delete_child",
)
_HOW = st.sampled_from(["crash", "crash", "key", *ENDS])
_MADE = range(1, 5)
"""Numbers of children that may have been made from a template."""


class SupervisionMachine(RuleBasedStateMachine):
    """Draws a tree and a script; at the end runs it on a supervisor and the model."""

    spec: SupervisorSpec
    habits: dict[str, Habit]
    script: list[Step]

    @initialize(spec=trees(), seed=st.integers(0, 2**32), data=st.data())
    def begin(self, spec: SupervisorSpec, seed: int, data: st.DataObject) -> None:
        """Draw a tree."""
        self.spec, self.seed, self.script = spec, seed, []
        self.habits, self.is_slow = data.draw(habits(spec)), is_slow(spec)
        self.supervisors = {
            path: child
            for path, child in all_below(spec)
            if isinstance(child, (SupervisorSpec, DynamicSupervisorSpec))
        }
        self.workers = [
            (path, name)
            for path, child in all_below(spec)
            if isinstance(child, ActorSpec)
            for name in self._names(path, child)
        ]

    def _names(self, path: str, child: ActorSpec) -> list[str]:
        if isinstance(self.supervisors[path], DynamicSupervisorSpec):
            stem = child_name(child).rpartition("/")[0]
            return [f"{stem}/{number}" for number in _MADE]
        return [child_name(child)]

    def _has_workers(self) -> bool:
        return bool(self.workers)

    @precondition(_has_workers)
    @rule(data=st.data(), hows=st.lists(_HOW, min_size=1, max_size=4))
    def children_end(self, data: st.DataObject, hows: list[str]) -> None:
        """Children end by themselves, one after the other."""
        for how in hows:
            path, name = data.draw(st.sampled_from(self.workers))
            self.script.append(("end", path, [name], how))

    @precondition(_has_workers)
    @rule(data=st.data(), how=_HOW)
    def siblings_end(self, data: st.DataObject, how: str) -> None:
        """Some siblings end at the same time."""
        path = data.draw(st.sampled_from(self.workers))[0]
        names = [name for where, name in self.workers if where == path]
        some = data.draw(st.sets(st.sampled_from(names), min_size=1))
        self.script.append(("end", path, sorted(some), how))

    @precondition(_has_workers)
    @rule(
        data=st.data(),
        outcome=st.sampled_from([FAILS, FAILS, HANGS, IGNORES]),
        times=st.integers(1, 3),
    )
    def starts_will_fail(self, data: st.DataObject, outcome: str, times: int) -> None:
        """The next starts of a child fail, or are ignored."""
        name = data.draw(st.sampled_from(self.workers))[1]
        if outcome == HANGS and not self.is_slow:
            outcome = FAILS
        self.script.append(("expect", name, outcome, times))

    @rule(seconds=st.sampled_from([0.37, 1.11, 2.57, 10.3]))
    def time_passes(self, seconds: float) -> None:
        """Time passes."""
        self.script.append(("wait", seconds))

    @precondition(_has_workers)
    @rule(data=st.data(), how=_HOW)
    def close_over(self, data: st.DataObject, how: str) -> None:
        """A supervisor is stopped, and children end before it is notified of that."""
        path = data.draw(st.sampled_from(self.workers))[0]
        names = [name for where, name in self.workers if where == path]
        some = data.draw(st.sets(st.sampled_from(names), min_size=1))
        self.script.append(("close_over", path, sorted(some), how))

    @rule(data=st.data(), operation=st.sampled_from(_OPERATIONS))
    def administer(self, data: st.DataObject, operation: str) -> None:
        """A request is made that concerns a child."""
        path = data.draw(st.sampled_from(sorted(self.supervisors)))
        below = [name for where, name in self.workers if where == path]
        inner = [p.rpartition("/")[2] for p in self.supervisors if p != "root"]
        child = data.draw(st.sampled_from([*below, *below, *inner, "nobody"]))
        self.script.append(("ask", path, operation, child))

    @rule(data=st.data(), restart=st.sampled_from(RestartType))
    def add(self, data: st.DataObject, restart: RestartType) -> None:
        """A child is added by a specification of its own."""
        path = data.draw(st.sampled_from(sorted(self.supervisors)))
        name = f"{path.rpartition('/')[2]}-{data.draw(st.integers(0, 1))}"
        backoff = NO_BACKOFF if self.is_slow else data.draw(PAUSES)
        options: dict[str, Any] = {"restart": restart, "backoff": backoff}
        options["on_error"] = data.draw(WISHES)
        spec = data.draw(workers(name, is_slow=self.is_slow, **options))
        self.workers.append((path, child_name(spec)))
        self.script.append(("ask", path, "start_child", spec))

    @rule(data=st.data(), times=st.integers(1, 3))
    def make(self, data: st.DataObject, times: int) -> None:
        """Children are made from a template, or would be if there were one."""
        dynamic = [
            path
            for path, spec in self.supervisors.items()
            if isinstance(spec, DynamicSupervisorSpec)
        ]
        path = data.draw(st.sampled_from(sorted(dynamic or self.supervisors)))
        self.script.extend([("ask", path, "start_from_template")] * times)

    @rule(data=st.data())
    def change(self, data: st.DataObject) -> None:
        """A supervisor gets other specifications."""
        path = data.draw(st.sampled_from(sorted(self.supervisors)))
        spec = data.draw(changes(self.supervisors[path]))
        self.script.append(("ask", path, "change_specs", spec))

    def teardown(self) -> None:
        """Run what was drawn."""
        if hasattr(self, "script"):
            clock = trio.testing.MockClock(autojump_threshold=0)
            with steady_scheduling(self.seed):
                trio.run(
                    play, self.spec, self.habits, self.script, self.seed, clock=clock
                )


def run_machine(examples: int, steps: int, seed: int) -> None:
    """Draw and run that many scripts; the same seed gives the same scripts."""
    machine = seeded(seed)(type("Supervision", (SupervisionMachine,), {}))
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=PHASES,
            suppress_health_check=slow,
        ),
    )
