"""The graph of waits against a naive model, and the cycles of every small length."""

from itertools import pairwise

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from airssys.contracts import ComponentId, RequestWouldDeadlock
from airssys.messaging import WaitGraph
from airssys.messaging.mailboxes import Wait

NAMES = [ComponentId.parse(name) for name in "abcdef"]
edges = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))


class AgainstNaiveModel(RuleBasedStateMachine):
    """The model is a list of edges, searched to exhaustion."""

    def __init__(self):
        super().__init__()
        self.graph = WaitGraph()
        self.edges = []

    def reaches(self, start, goal):
        reached, news = set(), {start}
        while news:
            reached |= news
            news = {to for one, to in self.edges if one in reached} - reached
        return goal in reached

    @rule(edge=edges)
    def add(self, edge):
        waiter, target = edge
        if self.reaches(target, waiter):
            with pytest.raises(RequestWouldDeadlock) as refused:
                self.graph.add(waiter, target)
            self.check_path(refused.value.path, waiter, target)
        else:
            self.graph.add(waiter, target)
            self.edges.append((waiter, target))

    def check_path(self, path, waiter, target):
        assert path[:2] == (waiter, target)
        assert path[-1] == waiter
        assert all(step in self.edges for step in pairwise(path[1:]))
        assert len(set(path)) == len(path) - 1

    @precondition(lambda self: self.edges)
    @rule(data=st.data())
    def remove(self, data):
        edge = data.draw(st.sampled_from(self.edges))
        self.edges.remove(edge)
        self.graph.remove(*edge)

    @rule(edge=edges)
    def remove_what_is_not_there(self, edge):
        if edge not in self.edges:
            with pytest.raises(KeyError):
                self.graph.remove(*edge)

    @invariant()
    def same_edges(self):
        assert self.graph.edges() == frozenset(self.edges)
        assert set(self.graph._counts) == {waiter for waiter, _ in self.edges}
        waiters = self.graph._waiters.items()
        assert {(who, to) for to, by in waiters for who in by} == set(self.edges)
        assert all(by for _, by in waiters)


TestAgainstNaiveModel = AgainstNaiveModel.TestCase
TestAgainstNaiveModel.settings = settings(deadline=None, stateful_step_count=40)


@pytest.mark.parametrize("length", range(1, 6))
def test_the_edge_that_closes_a_cycle_is_refused_with_the_path(length):
    graph, ring = WaitGraph(), NAMES[:length]
    for waiter, target in pairwise(ring):
        graph.add(waiter, target)
    before = graph.edges()
    with pytest.raises(RequestWouldDeadlock) as refused:
        graph.add(ring[-1], ring[0])
    assert refused.value.path == (ring[-1], *ring)
    assert graph.edges() == before


@pytest.mark.unmeasured
def test_a_cycle_of_any_length_is_found():
    graph = WaitGraph()
    ring = [ComponentId("local", f"n{number}") for number in range(100_000)]
    for waiter, target in pairwise(ring):
        graph.add(waiter, target)
    with pytest.raises(RequestWouldDeadlock) as refused:
        graph.add(ring[-1], ring[0])
    assert refused.value.path == (ring[-1], *ring)


def test_the_path_is_a_shortest_one():
    a, b, c, d, *_ = NAMES
    graph = WaitGraph()
    for edge in ((a, b), (b, c), (c, d), (a, d)):
        graph.add(*edge)
    with pytest.raises(RequestWouldDeadlock) as refused:
        graph.add(d, a)
    assert refused.value.path == (d, a, d)


def test_each_wait_for_the_same_target_is_removed_on_its_own():
    a, b, *_ = NAMES
    graph = WaitGraph()
    graph.add(a, b)
    graph.add(a, b)
    graph.remove(a, b)
    with pytest.raises(RequestWouldDeadlock):
        graph.add(b, a)
    graph.remove(a, b)
    graph.add(b, a)
    assert graph.edges() == {(b, a)}


def test_a_failed_removal_changes_nothing():
    a, b, c, *_ = NAMES
    graph = WaitGraph()
    graph.add(a, b)
    with pytest.raises(KeyError):
        graph.remove(a, c)
    assert graph.edges() == {(a, b)}


def test_edges_are_a_picture_of_one_moment():
    a, b, *_ = NAMES
    graph = WaitGraph()
    before = graph.edges()
    graph.add(a, b)
    assert before == frozenset()


def again(name):
    """Make an identity that is equal to others of that name, and not the same object."""
    return ComponentId("local", name, "0")


def test_equal_names_are_the_same_actor():
    graph = WaitGraph()
    with pytest.raises(RequestWouldDeadlock):
        graph.add(again("a"), again("a"))
    graph.add(again("a"), again("b"))
    graph.add(again("b"), again("c"))
    with pytest.raises(RequestWouldDeadlock) as refused:
        graph.add(again("c"), again("a"))
    assert refused.value.path == tuple(again(name) for name in "cabc")


def test_a_graph_is_itself_and_keeps_what_it_keeps():
    assert WaitGraph() != WaitGraph()
    assert "counts" not in repr(WaitGraph())
    with pytest.raises(TypeError):
        WaitGraph(counts={})
    with pytest.raises(TypeError):
        WaitGraph(waiters={})


def test_a_wait_is_in_the_graph_until_it_is_ended():
    a, b, c, *_ = NAMES
    graph = WaitGraph()
    wait = Wait(graph, a, b)
    assert graph.edges() == {(a, b)}
    wait.turn_to(c)
    assert graph.edges() == {(a, c)}
    wait.end()
    assert graph.edges() == frozenset()


def test_a_wait_that_would_never_end_changes_nothing():
    a, b, c, *_ = NAMES
    graph = WaitGraph()
    wait, _ = Wait(graph, a, b), Wait(graph, c, a)
    with pytest.raises(RequestWouldDeadlock):
        Wait(graph, b, a)
    with pytest.raises(RequestWouldDeadlock):
        wait.turn_to(c)
    assert graph.edges() == {(a, b), (c, a)}
    wait.end()
    assert graph.edges() == {(c, a)}


def test_a_task_outside_of_all_actors_is_not_in_the_graph():
    _, b, c, *_ = NAMES
    graph = WaitGraph()
    wait = Wait(graph, None, b)
    wait.turn_to(c)
    wait.end()
    assert graph.edges() == frozenset()
    assert wait != Wait(graph, None, c), "each is a wait of its own"
