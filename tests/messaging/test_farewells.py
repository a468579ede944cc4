"""The end of a wait is passed on along chains of any length."""

import sys

import attrs
import pytest
import trio

from airssys.messaging.requests._farewells import Farewells

LINKS = 100_000


@attrs.define(eq=False)
class Link:
    """A message whose handler asks the next one."""

    farewells: Farewells
    notified: list
    number: int
    next: "Link | None" = None
    on_abandoned: object = None

    def __attrs_post_init__(self):
        self.on_abandoned = self.give_up

    def give_up(self):
        # However long the chain, this must be about as deep as the first one.
        self.notified.append((self.number, depth()))
        self.on_abandoned = None
        if self.next is not None:
            self.farewells.tell(self.next)


def depth():
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count


@pytest.mark.unmeasured
async def test_a_chain_of_any_length_is_notified_without_recursion():
    farewells, notified, link = Farewells(), [], None
    for number in reversed(range(LINKS)):
        link = Link(farewells, notified, number, link)
    farewells.tell(link)
    turns = 0
    while len(notified) < LINKS:
        await trio.lowlevel.checkpoint()
        turns += 1
        assert turns < LINKS
    assert [number for number, _ in notified] == list(range(LINKS))
    assert max(deep for _, deep in notified) <= notified[0][1] + 5
    assert turns > 3  # it held the thread for none of these


async def test_one_that_finished_meanwhile_is_not_notified():
    farewells, notified = Farewells(), []
    second = Link(farewells, notified, 2)
    third = Link(farewells, notified, 3)
    first = Link(farewells, notified, 1)

    def give_up():
        farewells.tell(second)
        farewells.tell(third)
        second.on_abandoned = None

    first.on_abandoned = give_up
    farewells.tell(first)
    assert [number for number, _ in notified] == [3]


async def test_one_that_fails_does_not_silence_the_rest():
    farewells, notified = Farewells(), []
    bad = Link(farewells, notified, 0)
    bad.on_abandoned = lambda: 1 / 0
    with pytest.raises(ZeroDivisionError):
        farewells.tell(bad)
    farewells.tell(Link(farewells, notified, 1))
    assert [number for number, _ in notified] == [1]
