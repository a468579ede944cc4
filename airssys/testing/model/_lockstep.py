"""Runs one script on a real supervisor and on its model.

After each step both must have reported the same events, have the same tree, and have
taken the same time. Events are compared for each supervisor, or for each child where
children are independent: the order between two supervisors does not matter. Siblings
that end at the same time do so in an order that the seeded scheduler chooses; the model
gets that order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import trio
import trio.testing

from airssys.contracts import (
    ChildExited,
    ChildStarted,
    ChildStartFailed,
    DynamicSupervisorSpec,
    Presence,
    Refused,
    Strategy,
    SupervisorGaveUp,
    SupervisorSpec,
)
from airssys.nursery import Administration, Stop, SupervisorCell

from ._clock_and_habits import CRASH, NORMAL, SHUTDOWN, End, Script
from ._dynamic_supervisor import model_of
from ._scripted_children import ScriptedChildren

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.contracts import Event
    from airssys.nursery import Slot

    from ._child import ModelChild
    from ._clock_and_habits import Habit, Line
    from ._supervisor import ModelSupervisor

Step: TypeAlias = tuple[Any, ...]
"""The name of a method of `Lockstep`, and its arguments."""

ENDS: Final[dict[str, tuple[End, type[Exception] | None]]] = {
    "normal": (End(NORMAL), None),
    "stop": (End(SHUTDOWN), Stop),
    "crash": (End(CRASH, error=ValueError), ValueError),
    "key": (End(CRASH, error=KeyError), KeyError),
}
"""How a child can end by itself, and what it raises to do so."""

ALONE: Final = "dynamic"
"""The start of the names of dynamic supervisors, in trees that are run."""

_CLOSE: Final = 1e-6
_BUSY_FOR: Final = 60
"""Requests, each of which takes a supervisor one pass of the scheduler."""
_LONGEST: Final = 100_000.0
_BETWEEN_STEPS: Final = 0.0013
_BETWEEN_ENDS: Final = 0.00007


@final
class Lockstep:
    """A real supervisor and a model of it, side by side."""

    def __init__(
        self, spec: SupervisorSpec | DynamicSupervisorSpec, world: Script, real: Script
    ) -> None:
        self.world = world
        self.scripted_children = ScriptedChildren(spec, real)
        self.model = model_of(spec, spec.name, world)

    # -------------------------------------------------------------------- steps

    async def wait(self, seconds: float) -> None:
        """Let time pass; restarts that become due are made."""
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

    async def end(self, path: str, names: Sequence[str], how: str) -> None:
        """Let siblings end by themselves, at the same time if they share restarts."""
        model = self._modelled(path)
        if model is None:
            return
        is_alone = model.strategy is Strategy.ONE_FOR_ONE
        # Where they do not wait for each other, the order of two would be open.
        for group in [[name] for name in names] if is_alone else [names]:
            await self._end_together(path, group, how)
            await self.wait(_BETWEEN_ENDS)

    def expect(self, name: str, outcome: str, times: int) -> None:
        """Let the next starts of a worker fail, hang, or be ignored."""
        for world in (self.world, self.scripted_children.world):
            world.expect(name, outcome, times)

    async def ask(self, path: str, operation: str, *arguments: object) -> None:
        """Make a request, like `Administration`; the answers must be the same."""
        model, real = self._modelled(path), self._real(path)
        _same("does the supervisor run", real is None, model is None)
        if model is None or real is None:
            return
        administration = Administration(lambda: real)
        answer = await getattr(administration, operation)(*arguments)
        await trio.testing.wait_all_tasks_blocked()
        given = (
            answer.why.name if isinstance(answer, Refused) else type(answer).__name__
        )
        _same(f"answer to {operation}", given, getattr(model, operation)(*arguments))
        await self.settle()

    async def close_over(self, path: str, names: Sequence[str], how: str) -> None:
        """Stop a supervisor, and let children of it end before it is notified of that.

        It is kept busy meanwhile, so that both notifications wait.
        """
        above, _, own_name = path.rpartition("/")
        parent, model = self._modelled(above) if above else None, self._modelled(path)
        if parent is None or model is None:
            return
        living = [n for n in names if (c := model.find(n)) is not None and c.is_alive]
        real, upper = (self._admin(each) for each in (path, above))
        self.scripted_children.ended.clear()
        async with trio.open_nursery() as nursery:
            for _ in range(_BUSY_FOR):
                nursery.start_soon(real.delete_child, "nobody")
            await trio.lowlevel.checkpoint()
            nursery.start_soon(upper.terminate_child, own_name)
            for _ in range(_BUSY_FOR // 4):
                await trio.lowlevel.checkpoint()
            end, error = ENDS[how]
            for name in living:
                self.scripted_children.alive[name].end(
                    None if error is None else error("as instructed")
                )
        await trio.testing.wait_all_tasks_blocked()
        for name in living:
            if (child := model.find(name)) is not None:
                child.end = end
        parent.terminate_child(own_name)
        await self.settle()

    # -------------------------------------------------------------- comparison

    async def settle(self) -> None:
        """Let both become idle."""
        await trio.testing.wait_all_tasks_blocked()
        self.model.run()
        if self.world.now > trio.current_time():
            await trio.sleep_until(self.world.now)
            await trio.testing.wait_all_tasks_blocked()

    def compare(self) -> None:
        """Check that both have reached the same state.

        Raises:
            AssertionError: They have not.
        """
        self.compare_grouped()
        if abs(self.world.now - trio.current_time()) > _CLOSE:
            _same("time", trio.current_time(), self.world.now)
        _same("children with two incarnations", self.scripted_children.doubles, [])
        reason, ended = self.scripted_children.root.reason, self.model.ended
        _same("end", reason and reason.kind.value, ended and ended.kind)
        if ended is None:
            real = [_branch(slot) for slot in self.scripted_children.supervisor.roster]
            _same("tree", real, [_model_branch(c) for c in self.model.children])
        else:
            _same("children left", list(self.scripted_children.alive), [])

    def compare_grouped(self) -> None:
        """Check that both have reported the same events so far."""
        real = _grouped(map(_line_of, self.scripted_children.events))
        _same("events", real, _grouped(self.world.trace))

    # --------------------------------------------------------------------- parts

    def _real(self, path: str) -> Any:  # noqa: ANN401  # a supervisor of either kind, or None
        found: Any = self.scripted_children.supervisor
        for name in path.split("/")[1:]:
            slot = found.roster.find(name)
            if slot is None or slot.info().presence is not Presence.RUNNING:
                return None
            found = slot.cell.present
        return found

    def _admin(self, path: str) -> Administration:
        found = self._real(path)
        return Administration(lambda: found)

    def _modelled(self, path: str) -> ModelSupervisor | None:
        found: Any = self.model
        for name in path.split("/")[1:]:
            child = found.find(name)
            if child is None or not child.is_alive:
                return None
            found = child.below
        return None if found.ended else found

    async def _end_together(self, path: str, names: Sequence[str], how: str) -> None:
        model = self._modelled(path)
        if model is None:
            return
        living = [n for n in names if (c := model.find(n)) is not None and c.is_alive]
        end, error = ENDS[how]
        self.scripted_children.ended.clear()
        for name in living:
            self.scripted_children.alive[name].end(
                None if error is None else error("as instructed")
            )
        await trio.testing.wait_all_tasks_blocked()
        for name in dict.fromkeys(self.scripted_children.ended):
            child = model.find(name)
            if child is not None and name in living:
                model.child_ends(child, end)
        await self.settle()


async def play(
    spec: SupervisorSpec | DynamicSupervisorSpec,
    habits: dict[str, Habit],
    script: Sequence[Step],
    seed: int,
) -> None:
    """Run a script on both, and compare them after each step.

    Args:
        spec: The specification of the root.
        habits: How children behave when they are started and stopped.
        script: The steps; a step whose supervisor does not run does nothing.
        seed: For jitter.

    Raises:
        AssertionError: They do not agree.
    """
    lockstep = Lockstep(spec, Script.of(habits, seed), Script.of(habits, seed))
    async with trio.open_nursery() as nursery:
        try:
            with trio.fail_after(_LONGEST):
                await lockstep.scripted_children.start(nursery)
                await _play(lockstep, script)
        finally:
            with trio.CancelScope(shield=True):
                await lockstep.scripted_children.root.stop(_LONGEST)


async def _play(lockstep: Lockstep, script: Sequence[Step]) -> None:
    if not lockstep.model.open():
        raise AssertionError("the root must start")
    lockstep.compare()
    for number, (step, *arguments) in enumerate(script):
        await lockstep.wait(_BETWEEN_STEPS * (number + 1))
        if lockstep.model.ended is None:
            result = getattr(lockstep, step)(*arguments)
            if result is not None:
                await result
            lockstep.compare()
    if lockstep.model.ended is None:
        await lockstep.scripted_children.root.stop(math.inf)
        lockstep.model.close()
        lockstep.compare_grouped()


def _same(what: str, real: object, model: object) -> None:
    if real != model:
        raise AssertionError(f"{what}: it is\n  {real}\nand should be\n  {model}")


def _line_of(event: Event) -> Line:
    match event:
        case ChildStarted(supervisor, child, restarts):
            return (supervisor, "started", child, restarts)
        case ChildStartFailed(supervisor, child, reason, restarting):
            return (supervisor, "failed", child, reason.kind.value, restarting)
        case ChildExited(supervisor, child, reason, asked, restarting, problem):
            found = problem and problem.value
            kind = reason.kind.value
            return (supervisor, "exited", child, kind, asked, restarting, found)
        case SupervisorGaveUp(supervisor, exceeded):
            return (supervisor, "gave up", exceeded.child, exceeded.restarts)
        case _:
            raise AssertionError(f"unexpected event {event}")


def _grouped(lines: Iterable[Line]) -> dict[object, list[Line]]:
    """Group lines by supervisor, or by child of a dynamic supervisor."""
    groups: dict[object, list[Line]] = {}
    for supervisor, *line in lines:
        is_alone = str(supervisor).rpartition("/")[2].startswith(ALONE)
        source = (supervisor, line[1]) if is_alone else supervisor
        groups.setdefault(source, []).append(tuple(line))
    return groups


def _branch(slot: Slot) -> tuple[str, object]:
    """Return the state of a real child."""
    presence = slot.info().presence
    if isinstance(slot.cell, SupervisorCell) and presence is Presence.RUNNING:
        present = slot.cell.present
        return slot.name, [_branch(s) for s in present.roster] if present else []
    return slot.name, presence.value


def _model_branch(child: ModelChild) -> tuple[str, object]:
    """Return the state of a child in the model."""
    if child.below is not None and child.is_alive:
        return child.name, [_model_branch(c) for c in child.below.children]
    return child.name, child.presence
