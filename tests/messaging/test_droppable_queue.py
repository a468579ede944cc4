"""The queue that drops its oldest, against a list that is searched."""

from hypothesis import given, strategies as st

from airssys.contracts import (
    TOPIC_TYPE,
    ComponentId,
    Envelope,
    Overflow,
    OverflowRules,
    Priority,
)
from airssys.messaging.mailboxes._droppable_queue import DroppableQueue
from airssys.messaging.mailboxes._overflow import droppable, queue_for

NAME = ComponentId.parse("a")
RULES = OverflowRules(low=Overflow.DROP_OLDEST, normal=Overflow.DROP_OLDEST)
LETTERS = st.builds(
    Envelope,
    st.just(NAME),
    st.just(NAME),
    st.just(b""),
    content_type=st.sampled_from([None, TOPIC_TYPE + "a"]),
    priority=st.sampled_from([None, *Priority]),
)
STEPS = st.one_of(
    st.tuples(st.just("append"), LETTERS),
    st.tuples(st.just("extend"), st.lists(LETTERS, max_size=3)),
    st.tuples(st.just("extendleft"), st.lists(LETTERS, max_size=3)),
    *(st.tuples(st.just(name)) for name in ("popleft", "popleft", "drop", "drop")),
    st.tuples(st.just("clear")),
)


class Searched(list):
    """What the queue stands for."""

    def __init__(self):
        super().__init__()
        self.may_drop = droppable(RULES)

    def popleft(self):
        return self.pop(0)

    def extendleft(self, letters):
        self[:0] = reversed(letters)

    def drop_oldest(self):
        oldest = next((each for each in self if self.may_drop(each)), None)
        if oldest is not None:
            del self[next(i for i, each in enumerate(self) if each is oldest)]
        return oldest


def outcome(operation, *arguments):
    try:
        return operation(*arguments)
    except IndexError:
        return IndexError


@given(st.lists(STEPS, max_size=40))
def test_it_is_a_list_in_which_the_oldest_that_may_be_dropped_is_found(steps):
    queue, model = queue_for(RULES), Searched()
    assert isinstance(queue, DroppableQueue)
    for name, *arguments in steps:
        word = "drop_oldest" if name == "drop" else name
        given = outcome(getattr(queue, word), *arguments)
        assert given is outcome(getattr(model, word), *arguments)
        assert len(queue) == len(model)
        assert bool(queue) is bool(model)
        assert [id(each) for each in queue] == [id(each) for each in model]


def test_a_mailbox_that_never_drops_its_oldest_pays_nothing_for_it():
    assert droppable(OverflowRules()) is None
    assert not isinstance(queue_for(OverflowRules()), DroppableQueue)
