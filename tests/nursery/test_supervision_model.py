"""The real supervisor against the model: the same story, event by event.

A script is drawn step by step, then played to both. Siblings that end at the same time
do so in an order that the seeded scheduler chooses; the model is told that order. The
stories of different supervisors are compared one by one: nothing is said about which
of two supervisors is quicker.
"""

from collections import deque

import attrs
import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airssys.contracts import (
    BRUTAL_KILL,
    NO_BACKOFF,
    AutoShutdown,
    Backoff,
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    Growth,
    Refused,
    RestartType,
    Strategy,
    SupervisorGaveUp,
    SupervisorSpec,
    find_spec_mistakes,
)
from airssys.nursery import Administration, Ignore, Stop
from airssys.nursery._supervisor_seat import SupervisorSeat
from airssys.testing import (
    CRASH,
    FAILS,
    IGNORES,
    NORMAL,
    SHUTDOWN,
    End,
    ModelSupervisor,
    World,
)

from .stage import Stage, acting, group, worker

BACKOFFS = st.sampled_from(
    [
        NO_BACKOFF,
        NO_BACKOFF,
        Backoff(growth=Growth.CONSTANT, first=1.0),
        Backoff(growth=Growth.LINEAR, first=0.7, cap=2.0, reset_after=3.0),
        Backoff(first=0.3, factor=2.0, cap=2.0, reset_after=3.0),
    ]
)
ENDS = {NORMAL: lambda: None, SHUTDOWN: Stop, CRASH: ValueError}
OUTCOMES = {FAILS: ValueError, IGNORES: Ignore}


@st.composite
def children(draw, name, rule_of_parent, depth):
    restart = draw(st.sampled_from(RestartType))
    may = rule_of_parent is not AutoShutdown.NEVER
    may = may and restart is not RestartType.PERMANENT
    options = {
        "restart": restart,
        "backoff": draw(BACKOFFS),
        "significant": may and draw(st.booleans()),
    }
    if depth and draw(st.integers(0, 2)) == 0:
        return draw(groups(f"s{name}", depth - 1, **options))
    shutdown = draw(st.sampled_from([5.0, 5.0, 0.0, BRUTAL_KILL]))
    return worker(name, shutdown=shutdown, **options)


@st.composite
def groups(draw, name, depth, **options):
    auto_shutdown = draw(st.sampled_from(AutoShutdown))
    prefix = name.removeprefix("root")
    members = [
        draw(children(f"{prefix}{letter}", auto_shutdown, depth))
        for letter in "abcd"[: draw(st.integers(1, 4))]
    ]
    return group(
        *members,
        name=name,
        strategy=draw(st.sampled_from(Strategy)),
        auto_shutdown=auto_shutdown,
        restarts=draw(st.integers(0, 3)),
        period=draw(st.sampled_from([2.0, 10.0])),
        **options,
    )


def walk(spec, path="root"):
    """Return the paths of all supervisors, and all workers with their paths."""
    supervisors, members = [path], []
    for child in spec.children:
        if isinstance(child, SupervisorSpec):
            below = walk(child, f"{path}/{child.name}")
            supervisors += below[0]
            members += below[1]
        else:
            members.append((path, child.id.name))
    return supervisors, members


def line_of(event):
    match event:
        case ChildStarted(supervisor, child, restarts):
            return (supervisor, "started", child, restarts)
        case ChildStartFailed(supervisor, child, reason):
            return (supervisor, "failed", child, reason.kind.value)
        case ChildExited(supervisor, child, reason, asked, restarting, problem):
            told = problem and problem.value
            kind = reason.kind.value
            return (supervisor, "exited", child, kind, asked, restarting, told)
        case SupervisorGaveUp(supervisor, offence):
            return (supervisor, "gave up", offence.child, offence.restarts)


def stories(lines):
    told = {}
    for line in lines:
        told.setdefault(line[0], []).append(line[1:])
    return told


def tree_of(supervisor):
    """Show who runs, of a real supervisor."""
    shown = {}
    for slot in supervisor.roster:
        presence = slot.info().presence.value
        if isinstance(slot.seat, SupervisorSeat) and presence == "running":
            shown[slot.name] = tree_of(slot.seat.present)
        else:
            shown[slot.name] = presence
    return shown


def model_tree_of(model):
    """Show who runs, of a model."""
    return {
        c.name: model_tree_of(c.below) if c.below and c.is_alive else c.presence
        for c in model.children
    }


@attrs.define
class Duel:
    """One script, played to both."""

    stage: Stage
    world: World
    model: ModelSupervisor

    def real(self, path):
        found = self.stage.supervisor
        for name in path.split("/")[1:]:
            slot = found.roster.find(name)
            if slot is None or slot.child is None or slot.state.value != "running":
                return None
            found = slot.seat.present
        return found

    def modelled(self, path):
        found = self.model
        for name in path.split("/")[1:]:
            child = found.find(name)
            if child is None or not child.is_alive:
                return None
            found = child.below
        return found

    async def settle(self):
        await trio.testing.wait_all_tasks_blocked()
        self.model.run()

    def compare(self):
        real = stories(map(line_of, self.stage.events))
        assert real == stories(self.world.trace)
        assert (self.stage.root.reason is None) == (self.model.ended is None)
        if self.model.ended is None:
            assert tree_of(self.stage.supervisor) == model_tree_of(self.model)
        else:
            assert self.stage.alive == []
            assert self.stage.root.reason.kind.value == self.model.ended.kind

    async def wait(self, seconds):
        until = trio.current_time() + seconds
        while self.model.ended is None:
            due = self.model.next_due()
            if due is None or due > until:
                break
            await trio.sleep_until(due)
            self.world.now = due
            self.model.serve_due()
            await self.settle()
            self.compare()
        await trio.sleep_until(until)
        self.world.now = trio.current_time()

    async def end(self, path, names, kind):
        """Let siblings end at the same moment."""
        model = self.modelled(path)
        if model is None:
            return
        if model.spec.strategy is Strategy.ONE_FOR_ONE:
            # Here restarts do not wait for each other, so that the order would differ.
            for name in names:
                await self.end_together(path, [name], kind)
                await self.wait(0.00007)
        else:
            await self.end_together(path, names, kind)

    async def end_together(self, path, names, kind):
        model = self.modelled(path)
        if model is None or model.ended is not None:
            return
        living = {n for n in names if (c := model.find(f"local/{n}/0")) and c.is_alive}
        self.stage.log.clear()
        for name in living:
            self.stage.puppets[name].end(ENDS[kind]())
        await trio.testing.wait_all_tasks_blocked()
        ends = (line.removeprefix("end ") for line in self.stage.log)
        for name in dict.fromkeys(ends):
            if name in living:
                child = model.find(f"local/{name}/0")
                model.child_ends(child, End(kind))
        await self.settle()

    def expect(self, name, outcome, times):
        """Let the next starts of a worker fail, or come to nothing."""
        key = f"local/{name}/0"
        self.world.outcomes.setdefault(key, deque()).extend([outcome] * times)
        habits = self.stage.habits.setdefault(name, [])
        del habits[:]
        pending = self.world.outcomes[key]
        habits.extend({"start_error": OUTCOMES[o]()} for o in pending)
        habits.append(self.habit(name))

    def habit(self, name):
        bad = f"local/{name}/0" in self.world.stops_badly
        return {"stop_error": ValueError("bad")} if bad else {}

    async def ask(self, path, operation, name, spec=None):
        model, real = self.modelled(path), self.real(path)
        assert (model is None) == (real is None)
        if model is None:
            return
        what = spec or name
        answer = await getattr(Administration(lambda: real), operation)(what)
        await trio.testing.wait_all_tasks_blocked()
        told = answer.why.name if isinstance(answer, Refused) else type(answer).__name__
        assert told == getattr(model, operation)(what)
        await self.settle()


async def play(spec, stops_badly, script, seed):
    trio._core._run._r.seed(seed)
    names = [name for _, name in walk(spec)[1]]
    bad = frozenset(f"local/{name}/0" for name in names if name in stops_badly)
    world = World(stops_badly=bad)
    model = ModelSupervisor(spec, "root", world)
    habits = {n: [{"stop_error": ValueError("bad")}] for n in names if n in stops_badly}
    async with acting(spec, habits) as stage:
        duel = Duel(stage, world, model)
        assert model.open()
        duel.compare()
        for number, (step, *arguments) in enumerate(script):
            await duel.wait(0.0013 * (number + 1))
            if model.ended is None:
                result = getattr(duel, step)(*arguments)
                if result is not None:
                    await result
                duel.compare()
        stage.events.clear()
        world.trace.clear()
        if model.ended is None:
            await stage.root.stop(99)
            model.close()
            assert stories(map(line_of, stage.events)) == stories(world.trace)


class Supervision(RuleBasedStateMachine):
    """Draws a tree and a script; plays it at the end."""

    @initialize(spec=groups("root", 2), seed=st.integers(0, 2**32), data=st.data())
    def begin(self, spec, seed, data):
        assert find_spec_mistakes(spec) == []
        self.spec, self.seed, self.script = spec, seed, []
        self.supervisors, self.workers = walk(spec)
        names = [name for _, name in self.workers]
        self.stops_badly = (
            data.draw(st.sets(st.sampled_from(names))) if names else set()
        )

    def has_workers(self):
        return bool(self.workers)

    @precondition(has_workers)
    @rule(data=st.data(), kind=st.sampled_from([CRASH, CRASH, *ENDS]))
    def one_ends(self, data, kind):
        path, name = data.draw(st.sampled_from(self.workers))
        self.script.append(("end", path, [name], kind))

    @precondition(has_workers)
    @rule(data=st.data(), kind=st.sampled_from([CRASH, *ENDS]))
    def siblings_end(self, data, kind):
        path = data.draw(st.sampled_from(self.workers))[0]
        names = [name for where, name in self.workers if where == path]
        some = data.draw(st.sets(st.sampled_from(names), min_size=1))
        self.script.append(("end", path, sorted(some), kind))

    @precondition(has_workers)
    @rule(
        data=st.data(),
        outcome=st.sampled_from([FAILS, FAILS, IGNORES]),
        times=st.integers(1, 3),
    )
    def starts_will_fail(self, data, outcome, times):
        name = data.draw(st.sampled_from(self.workers))[1]
        self.script.append(("expect", name, outcome, times))

    @rule(seconds=st.sampled_from([0.37, 1.11, 2.57, 10.3]))
    def time_passes(self, seconds):
        self.script.append(("wait", seconds))

    @rule(
        data=st.data(),
        operation=st.sampled_from(
            ["terminate_child", "terminate_child", "restart_child", "delete_child"]
        ),
    )
    def administer(self, data, operation):
        path = data.draw(st.sampled_from(self.supervisors))
        below = [f"local/{name}/0" for where, name in self.workers if where == path]
        inner = [p.rpartition("/")[2] for p in self.supervisors if p != "root"]
        child = data.draw(st.sampled_from([*below, *below, *inner, "nobody"]))
        self.script.append(("ask", path, operation, child))

    @rule(data=st.data(), restart=st.sampled_from(RestartType))
    def add(self, data, restart):
        path = data.draw(st.sampled_from(self.supervisors))
        name = f"{path.rpartition('/')[2]}-{data.draw(st.integers(0, 1))}"
        spec = worker(name, restart=restart, backoff=data.draw(BACKOFFS))
        self.workers.append((path, name))
        self.script.append(("ask", path, "start_child", None, spec))

    def teardown(self):
        if hasattr(self, "script"):
            script = self.script
            clock = trio.testing.MockClock(autojump_threshold=0)
            trio.run(play, self.spec, self.stops_badly, script, self.seed, clock=clock)


def check(examples, steps):
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Supervision,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=slow,
        ),
    )


def test_the_supervisor_tells_the_same_story_as_the_model():
    check(200, 12)


@pytest.mark.slow
def test_the_supervisor_tells_the_same_story_as_the_model_at_length():
    check(2000, 25)
