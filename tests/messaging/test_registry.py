"""Names and their mailboxes."""

import pytest

from airssys.contracts import TargetNotFound
from airssys.messaging import Mailbox, Registry


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
    mailbox.put_nowait(world.letter(a, b))
    assert mailbox.statistics().queued == 1
