"""Patterns and topics, held against a model that compares them one by one."""

import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from airssys.contracts import BadTopic
from airssys.messaging.publishing import _topics as topics
from airssys.messaging.publishing._topics import (
    Subscriptions,
    _Node,
    read_pattern,
    read_topic,
)

SEGMENTS = st.sampled_from(["a", "b", "c"])
TOPICS = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda parts, rest: ".".join([*parts, *rest]),
    st.lists(SEGMENTS | st.just("*"), min_size=0, max_size=3),
    st.sampled_from([["#"], ["*"], ["a"], ["b"]]),
)
NAMES = st.sampled_from(["one", "two", "three"])


def is_match(pattern, topic):
    """Compare segment by segment."""
    wanted, found = pattern.split("."), topic.split(".")
    if wanted[-1] == "#":
        wanted.pop()
        if len(found) < len(wanted):
            return False
        found = found[: len(wanted)]
    return len(wanted) == len(found) and all(
        w in {"*", f} for w, f in zip(wanted, found, strict=True)
    )


class AgainstModel(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.real, self.model = Subscriptions(), set()

    @rule(pattern=PATTERNS, name=NAMES)
    def add(self, pattern, name):
        self.real.add(pattern, name)
        self.model.add((pattern, name))

    @rule(pattern=PATTERNS, name=NAMES)
    def remove(self, pattern, name):
        assert self.real.remove(pattern, name) == ((pattern, name) in self.model)
        self.model.discard((pattern, name))

    @rule(name=NAMES)
    def remove_all(self, name):
        self.real.remove_all(name)
        self.model = {each for each in self.model if each[1] != name}

    @rule(topic=TOPICS)
    def find(self, topic):
        found = self.real.find(topic)
        assert len(found) == len(set(found))
        assert set(found) == {n for p, n in self.model if is_match(p, topic)}

    @invariant()
    def nothing_is_left_over(self):
        assert len(self.real) == len(self.model)
        assert set(self.real._patterns) == {name for _, name in self.model}
        if not self.model:
            assert self.real._root.is_empty()


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=50, deadline=None)


@given(st.text(max_size=12) | st.integers() | st.none())
def test_whatever_is_given_is_taken_or_refused(anything):
    for read in (read_topic, read_pattern):
        try:
            segments = read(anything)
        except BadTopic:
            continue
        else:
            assert ".".join(segments) == anything


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "#.a",
        "a.#.b",
        "#.#",
        "a*",
        "a#",
        "**",
        "a b",
        "a\n",
    ],
)
def test_what_is_not_a_pattern_is_refused(pattern):
    with pytest.raises(BadTopic):
        Subscriptions().add(pattern, "one")


@pytest.mark.parametrize("topic", ["*", "a.*", "#", "a.#", "", "a..b"])
def test_what_is_not_a_topic_is_refused(topic):
    with pytest.raises(BadTopic):
        Subscriptions().find(topic)


def test_unrelated_subscriptions_cost_nothing(monkeypatch):
    visits = []

    class Watched(dict):
        def get(self, key, default=None):
            visits.append(key)
            return super().get(key, default)

    def count(unrelated):
        subscriptions = Subscriptions()
        for number in range(unrelated):
            subscriptions.add(f"other.n{number}.*", number)
        subscriptions.add("news.*.#", "me")
        nodes = [subscriptions._root]
        for node in nodes:
            nodes.extend(node.below.values())
            node.below = Watched(node.below)
        visits.clear()
        assert subscriptions.find("news.today.late") == ("me",)
        looked_at = len(visits)
        assert subscriptions.find("news.today.late") == ("me",)
        assert len(visits) == looked_at, "found again without looking"
        return looked_at

    assert isinstance(Subscriptions()._root, _Node)
    assert count(0) == count(1000)


@pytest.mark.parametrize("pattern", ["x" * 256, ".".join("a" * 17), "a." * 16 + "#"])
def test_what_is_too_long_is_refused(pattern):
    with pytest.raises(BadTopic, match="more than"):
        Subscriptions().add(pattern, "one")


def test_limits_to_the_last_character_and_segment():
    assert read_topic("x" * 255) == ("x" * 255,)
    assert len(read_pattern(".".join("a" * 16))) == 16
    for bad in ("x" * 256, ".".join("a" * 17)):
        with pytest.raises(BadTopic):
            read_topic(bad)
        with pytest.raises(BadTopic):
            read_pattern(bad)


@pytest.mark.parametrize("subscribers", [0, 1000])
def test_what_was_found_is_remembered_up_to_that_many_bytes(subscribers):
    subscriptions = Subscriptions()
    for number in range(subscribers):
        subscriptions.add("#", number)
    for number in range(3000):
        subscriptions.find(f"t.{number}")
        assert subscriptions._found_bytes <= topics._REMEMBERED_BYTES
    assert 1 <= len(subscriptions._found) <= 1024
    subscriptions.add("x", "somebody")
    assert subscriptions._found_bytes == len(subscriptions._found) == 0


@pytest.mark.parametrize("field", ["root", "patterns", "found"])
def test_no_caller_can_change_what_it_keeps(field):
    with pytest.raises(TypeError):
        Subscriptions(**{field: None})


@pytest.mark.parametrize(
    ("left", "topic"), [("a", "a"), ("a.#", "a.x"), ("a.*", "a.x")]
)
def test_others_on_the_way_stay_subscribed(left, topic):
    subscriptions = Subscriptions()
    subscriptions.add(left, "stays")
    subscriptions.add("a.b.c", "goes")
    assert subscriptions.remove("a.b.c", "goes")
    assert subscriptions.find(topic) == ("stays",)
    assert list(subscriptions._root.below) == ["a"]
    subscriptions.remove_all("stays")
    assert subscriptions._root.is_empty()


def test_subscriptions_are_themselves():
    assert len({Subscriptions(), Subscriptions()}) == 2
    assert not hasattr(Subscriptions()._root, "__dict__")  # there are many of them
    assert "patterns" not in repr(Subscriptions())


@pytest.mark.parametrize("pattern", ["!", 'a."', "!.a"])
def test_what_sorts_before_the_wildcards_is_none(pattern):
    subscriptions = Subscriptions()
    subscriptions.add(pattern, "one")
    assert subscriptions.find(pattern) == ("one",)
    assert subscriptions.find("a") == subscriptions.find("b.c") == ()
    assert subscriptions.remove(pattern, "one")
    assert subscriptions.find(pattern) == ()
