"""Names and their mailboxes."""

import pytest
from hypothesis import given, strategies as st

from airssys.contracts import ComponentId, TargetNotFound, Unavailable
from airssys.messaging import Mailbox, Registry
from airssys.messaging.routing._registry import GONE_KEPT
from mailbox_support import put_nowait


def test_a_registered_mailbox_is_found_until_it_is_unregistered(names):
    a, *_ = names
    registry, mailbox = Registry(), Mailbox(names[0], 1)
    registry.register(mailbox)
    assert registry.find(a) is mailbox
    assert registry.unregister(a) is mailbox
    assert registry.unregister(a) is None
    with pytest.raises(TargetNotFound) as missing:
        registry.find(a)
    assert missing.value.target == a
    assert missing.value.__suppress_context__


def test_a_taken_name_is_refused_and_nothing_changes(names):
    a, *_ = names
    registry, first = Registry(), Mailbox(a, 1)
    registry.register(first)
    with pytest.raises(ValueError, match=f"{a} is taken"):
        registry.register(Mailbox(a, 1))
    with pytest.raises(ValueError, match=f"{a} is taken"):
        registry.register(first)
    assert registry.find(a) is first


def test_names_are_listed_sorted(names):
    a, b, c, *_ = names
    registry = Registry()
    for name in (b, c, a):
        registry.register(Mailbox(name, 1))
    assert registry.ids() == (a, b, c)


def test_unregistering_leaves_the_mailbox_open(world, names):
    a, b, *_ = names
    mailbox = world.open(a)
    world.registry.unregister(a)
    put_nowait(mailbox, world.letter(a, b))
    assert mailbox.statistics().queued == 1


NAMES = st.builds(
    ComponentId,
    st.sampled_from(["a", "a-b", "b"]),
    st.sampled_from(["x", "x-y", "x.y"]),
    st.sampled_from("0123456789"),
)


@given(st.lists(st.tuples(NAMES, st.booleans())), st.integers(0, 20))
def test_names_come_and_go_and_stay_sorted(steps, first_asked):
    registry, there = Registry(), set()
    for number, (name, asked) in enumerate(steps):
        if name in there:
            registry.unregister(name)
            there.remove(name)
        else:
            registry.register(Mailbox(name, 1))
            there.add(name)
        if asked and number >= first_asked:
            assert registry.ids() == tuple(sorted(there))
    assert registry.ids() == tuple(sorted(there))


def test_a_name_that_went_differs_from_one_that_never_was(names):
    a, b, *_ = names
    registry = Registry()
    registry.note_gone(a, "root/web gave up", 1_700_000_000_000_000_000)
    with pytest.raises(Unavailable) as gone:
        registry.find(a)
    assert gone.value.why == "root/web gave up at 2023-11-14 22:13:20 UTC"
    assert str(gone.value).startswith(f"{a} is not running: root/web gave up at 2023-")
    with pytest.raises(TargetNotFound):
        registry.find(b)
    registry.register(Mailbox(a, 1))
    registry.unregister(a)
    with pytest.raises(TargetNotFound):
        registry.find(a)


def test_only_the_last_names_that_went_are_remembered():
    registry = Registry()
    names = [ComponentId("local", f"n{number}") for number in range(GONE_KEPT + 10)]
    for name in names:
        registry.note_gone(name, "it ended", 0)
    assert isinstance(registry.absence(names[9]), TargetNotFound)
    assert isinstance(registry.absence(names[10]), Unavailable)
