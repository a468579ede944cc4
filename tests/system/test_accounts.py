"""Whatever happens in a running system, its messages are all accounted for.

A state machine does to a real system, of Python actors and of guests, what may befall
one: messages in all ways, crashes, restarts, stops, replaced code, cancellations,
deadlines, times to live, full mailboxes, grants that are lost. Each message ends exactly
one way (handled, refused, a dead letter, or dropped or withdrawn and counted), those of
one sender to one target are handled in order, and nothing is pending at rest.
"""

import logging

import hypothesis
import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from airssys import Lag, Priority
from message_world import NAMES, World
from wasm_support import GUESTS

pytestmark = pytest.mark.usefixtures("handler_kind")

targets = st.sampled_from(["block", "guest", "guest", *NAMES, *NAMES, "nobody"])
topics = st.sampled_from(["x", "x.a", "y", "x.a.b"])
plain = st.sampled_from(
    [
        *[("ok",), ("ok",), ("nap", 1), ("nap", 3), ("nap", 3)],
        *[("crash",), ("crash",), ("refuse",), ("stop",), ("boom",), ("early",)],
        *[("stash",), ("stash",), ("unstash",), ("subscribe", "#")],
    ]
)
passing = st.one_of(
    st.tuples(
        st.sampled_from(["tell", "send", "ask", "request", "request"]),
        targets,
        plain,
        st.sampled_from([0, 100, 2500]),
    ),
    st.tuples(st.just("publish"), topics),
    st.tuples(
        st.just("broadcast"), st.sampled_from(NAMES), st.sampled_from(NAMES)
    ).filter(lambda plan: plan[1] != plan[2]),
)
scripts = st.one_of(plain, passing, passing)
priorities = st.sampled_from([None, None, *Priority])
lives = st.sampled_from([None, None, 0, 1, 3])
some = st.integers(0, 20)
writing = st.tuples(
    st.sampled_from(["tell", "send"]),
    targets,
    scripts,
    st.fixed_dictionaries({"priority": priorities, "ttl": lives}),
)
timeouts = st.sampled_from([0, 0.5, 2, 4])
asking = st.tuples(
    st.just("ask"),
    targets,
    scripts,
    st.fixed_dictionaries(
        {
            "priority": priorities,
            "timeout": timeouts,
            "retries": st.sampled_from([0, 0, 2]),
        }
    ),
)


actors = st.sampled_from(NAMES)
spreading = st.one_of(
    st.tuples(st.just("publish"), topics),
    st.tuples(st.just("publish"), topics),
    st.tuples(
        st.just("broadcast"), st.lists(targets, min_size=2, max_size=3, unique=True)
    ),
    st.tuples(
        st.just("listen"),
        st.sampled_from(["x.#", "x.*", "y"]),
        st.integers(1, 2),
        st.sampled_from(Lag),
    ),
    st.tuples(st.just("read"), some, st.integers(1, 3)),
    st.tuples(st.just("leave"), some),
)
administering = st.sampled_from(["terminate_child", "restart_child", "restart_child"])
accidents = st.one_of(
    st.tuples(st.just("cancel"), some),
    st.tuples(st.just("cancel"), some),
    st.tuples(st.just("administer"), administering, actors),
    st.tuples(st.just("replace"), st.sampled_from(["guest", "other"])),
    # A sender's grant is taken away until all is settled.
    st.tuples(st.just("revoke"), st.sampled_from(["outside", "block", "guest"])),
)


class Accounts(RuleBasedStateMachine):
    """What may be done to a world; all of it is checked when it is settled."""

    cache = None
    """Where compiled guests are kept from world to world."""

    def __init__(self):
        super().__init__()
        self.world = World(GUESTS, self.cache)
        self.is_fine = True
        """Nothing has failed yet: the world can be finished."""

    def do(self, *wish):
        self.is_fine = False
        self.world.do(*wish)
        self.is_fine = True

    @rule(posts=st.lists(writing | asking, min_size=3, max_size=8))
    def post(self, posts):
        for post in posts:
            self.do("post", *post)

    @rule(actor=targets, posts=st.lists(writing | asking, min_size=4, max_size=8))
    def flood(self, actor, posts):
        """Send all to one, so that it is full."""
        for way, _, script, more in posts:
            self.do("post", way, actor, script, more)

    @rule(actor=actors, other=actors, scripts=st.lists(plain, min_size=3, max_size=6))
    def relay(self, actor, other, scripts):
        """Let one send, or ask, or request from another, again and again."""
        for script in scripts:
            way = "request" if actor in {"guest", "other"} else "send"
            arguments = (way, other, script, 2500)
            self.do("post", "send", actor, arguments, {})

    @rule(what=spreading)
    def spread(self, what):
        self.do(*what)

    @rule(what=accidents)
    def befall(self, what):
        self.do(*what)

    @rule(seconds=st.sampled_from([0, 0.25, 1, 1, 3]))
    def settle(self, seconds):
        self.is_fine = False
        self.world.settle(seconds)
        self.world.check()
        self.is_fine = True

    def teardown(self):
        try:
            if self.is_fine:
                self.world.finish()
        finally:
            self.world.abandon()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    logger = logging.getLogger("airssys")
    logger.disabled = True
    yield tmp_path_factory.mktemp("cache")
    logger.disabled = False


def run(cache, seed=0, **options):
    Accounts.cache = cache
    run_state_machine_as_test(
        hypothesis.seed(seed)(type("Accounts", (Accounts,), {})),
        settings=settings(
            deadline=None, suppress_health_check=list(HealthCheck), **options
        ),
    )


@pytest.mark.unmeasured
def test_every_message_ends_exactly_one_way(cache):
    run(cache, max_examples=50, stateful_step_count=30, derandomize=True)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_every_message_ends_exactly_one_way_in_many_runs(cache, part):
    run(cache, seed=part, max_examples=200, stateful_step_count=40)
