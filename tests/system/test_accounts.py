"""Whatever happens in a running system, its messages are all accounted for.

A state machine does to a real system, of Python actors and of guests, what may befall
one: messages in all ways, crashes, restarts, stops, replaced code, cancellations,
deadlines, times to live, full mailboxes, grants that are lost. Each message ends exactly
one way (handled, refused, a dead letter, or dropped or withdrawn and counted), those of
one sender to one target are handled in order, and nothing is pending at rest.
"""

import logging

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
    ).filter(lambda said: said[1] != said[2]),
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

    @rule(posts=st.lists(writing | asking, min_size=2, max_size=10))
    def post(self, posts):
        for post in posts:
            self.do("post", *post)

    @rule(topic=topics)
    def publish(self, topic):
        self.do("publish", topic)

    @rule(those=st.lists(targets, min_size=1, max_size=3, unique=True))
    def broadcast(self, those):
        self.do("broadcast", those)

    @rule(number=some)
    def cancel(self, number):
        self.do("cancel", number)

    @rule(
        what=st.sampled_from(["terminate_child", "restart_child", "restart_child"]),
        actor=st.sampled_from(NAMES),
    )
    def administer(self, what, actor):
        self.do("administer", what, actor)

    @rule(actor=st.sampled_from(NAMES[3:]))
    def replace(self, actor):
        self.do("replace", actor)

    @rule(name=st.sampled_from(["outside", "block", "guest"]))
    def revoke(self, name):
        """Take a sender's grant away, until all is settled."""
        self.do("revoke", name)

    @rule(
        pattern=st.sampled_from(["x.#", "x.*", "y"]),
        capacity=st.integers(1, 2),
        lag=st.sampled_from(Lag),
    )
    def listen(self, pattern, capacity, lag):
        self.do("listen", pattern, capacity, lag)

    @rule(number=some, most=st.integers(1, 3))
    def read(self, number, most):
        self.do("read", number, most)

    @rule(number=some)
    def leave(self, number):
        self.do("leave", number)

    @rule(seconds=st.sampled_from([0, 0, 0.25, 1, 1, 3]))
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


def run(cache, **options):
    Accounts.cache = cache
    run_state_machine_as_test(
        Accounts,
        settings=settings(
            deadline=None, suppress_health_check=list(HealthCheck), **options
        ),
    )


def test_every_message_ends_exactly_one_way(cache):
    run(cache, max_examples=100, stateful_step_count=30, derandomize=True)


@pytest.mark.slow
def test_every_message_ends_exactly_one_way_in_many_runs(cache):
    run(cache, max_examples=2000, stateful_step_count=60)
