"""Ends and requests at any moment, also while slow children start, stop and wait.

Here no test waits for anything to be over, so there is no model to compare with; but some
things hold whatever happens.
"""

import math

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings, strategies as st

from airssys.contracts import (
    SUPERVISOR_SPECS,
    ActorSpec,
    ChildStarted,
    ChildStartFailed,
    Presence,
    SupervisorGaveUp,
    child_name,
    follow,
)
from airssys.nursery import Administration, Stop
from airssys.testing.model._clock_and_habits import FAILS, HANGS, IGNORES, Script
from airssys.testing.model._scripted_children import ScriptedChildren
from airssys.testing.model._steady_scheduling import steady_scheduling
from airssys.testing.model._trees import (
    all_below,
    changes,
    groups,
    habits,
    trees,
    workers,
)

from .stage import assert_lives_are_over

pytestmark = pytest.mark.usefixtures("handler_kind")

ERRORS = [None, Stop(), ValueError(), KeyError()]
DELAYS = st.sampled_from([0.0, 0.0, 0.1, 0.4, 1.3, 5.1])
OPERATIONS = ["terminate_child", "restart_child", "delete_child"]


@st.composite
def steps(draw, spec):
    supervisors = {p: s for p, s in all_below(spec) if isinstance(s, SUPERVISOR_SPECS)}
    members = [(p, s) for p, s in all_below(spec) if isinstance(s, ActorSpec)]
    path = draw(st.sampled_from(sorted(supervisors)))
    below = [child_name(s) for p, s in members if p == path] or ["nobody"]
    name = draw(st.sampled_from(below))
    match draw(st.sampled_from("eeeeffoooatc")):
        case "e":
            return ("end", name, draw(st.sampled_from(ERRORS)))
        case "f":
            outcome = draw(st.sampled_from([FAILS, HANGS, IGNORES]))
            return ("expect", name, outcome)
        case "o":
            return ("ask", path, draw(st.sampled_from(OPERATIONS)), name)
        case "a":
            own = f"new{draw(st.integers(0, 1))}-{path.rpartition('/')[2]}"
            added = draw(workers(own, is_slow=True))
            return ("ask", path, "start_child", added)
        case "t":
            return ("ask", path, "start_from_template")
        case "c":
            return ("ask", path, "change_specs", draw(changes(supervisors[path])))


@st.composite
def storms(draw):
    slow = groups("root", 1, is_slow=True)
    spec = draw(slow | trees(1))
    some = st.lists(st.tuples(DELAYS, steps(spec)), min_size=3, max_size=15)
    return spec, draw(habits(spec)), draw(some), draw(st.booleans())


class Storm:
    def __init__(self, spec, habits):
        self.scripted_children = ScriptedChildren(spec, Script.of(habits, 0))
        self.asked = self.answered = 0

    def find(self, path):
        found = self.scripted_children.supervisor
        for name in path.split("/")[1:]:
            slot = found.roster.find(name)
            if slot is None or getattr(slot.cell, "present", None) is None:
                return None
            found = slot.cell.present
        return found

    async def ask(self, path, operation, *arguments):
        self.asked += 1
        administration = Administration(lambda: self.find(path))
        await getattr(administration, operation)(*arguments)
        self.answered += 1

    def end(self, name, error):
        if name in self.scripted_children.alive:
            self.scripted_children.alive[name].end(error)

    def expect(self, name, outcome):
        self.scripted_children.world.expect(name, outcome)

    def roster(self, supervisor=None):
        for slot in (supervisor or self.scripted_children.supervisor).roster:
            yield slot
            if getattr(slot.cell, "present", None) is not None:
                yield from self.roster(slot.cell.present)


async def rage(spec, habits, script, *, is_cut_short):
    storm = Storm(spec, habits)
    scripted_children = storm.scripted_children
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10**6):
            await scripted_children.start(nursery)
            for delay, (what, *arguments) in script:
                await trio.sleep(delay)
                if what == "ask":
                    nursery.start_soon(storm.ask, *arguments)
                else:
                    getattr(storm, what)(*arguments)
            if not is_cut_short:
                await trio.sleep(1000)
                assert storm.answered == storm.asked
                if scripted_children.root.reason is None:
                    waiting = [s.name for s in storm.roster() if s.retry is not None]
                    assert waiting == []
                    presences = {slot.info().presence for slot in storm.roster()}
                    assert Presence.RESTARTING not in presences
            await scripted_children.root.stop(math.inf)
    assert storm.answered == storm.asked
    assert scripted_children.alive == {}
    assert scripted_children.doubles == []
    assert_lives_are_over(scripted_children.events)
    check_restarts(spec, scripted_children.events)


def check_restarts(spec, events):
    """The root's children return at most as often as it allows before it gives up."""
    assert follow(events) is not None
    own = [e for e in events if getattr(e, "supervisor", None) == "root"]
    gave_up = [e for e in own if isinstance(e, SupervisorGaveUp)]
    assert len(gave_up) <= 1
    if gave_up:
        after = own[own.index(gave_up[0]) :]
        assert not any(isinstance(e, ChildStarted | ChildStartFailed) for e in after)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(storms(), st.integers(0, 2**16))
def test_whatever_happens_when(storm, seed):
    spec, habits, script, is_cut_short = storm
    clock = trio.testing.MockClock(autojump_threshold=0)
    with steady_scheduling(seed):
        trio.run(
            lambda: rage(spec, habits, script, is_cut_short=is_cut_short), clock=clock
        )
