"""Publishing to 1,000 subscribers, against the same loops on raw memory channels.

Compared in one run, each from the first message to the handling of the last:

* bursts: so many messages published one after the other to actors with a mailbox of
  1,024, and sent to as many channels of 1,024, each with its loop;
* wake-ups: one message published to actors that are idle, and to plain subscriptions
  that are; against as many parked tasks that are rescheduled by hand and park again, and
  against as many idle loops on channels, which also hand each task its message.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Final

import trio
import trio.testing
from measuring.ratios import Report, check_count, seconds
from measuring.sides import Side, least_times
from trio.lowlevel import Abort, Task, checkpoint, current_task, reschedule

from airssys.dsl import actor, blueprint
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airssys.contracts import Blueprint, Envelope
    from airssys.nursery import ActorContext
    from airssys.system import Subscription, System

_MAILBOX: Final = 1024
_TOPIC: Final = "weather.today"
_PAYLOAD: Final = bytes(64)
_handled = 0


class Listener:
    """An actor that counts what is published."""

    async def started(self, context: ActorContext) -> None:
        """Subscribe."""
        context.subscribe(_TOPIC)

    async def handle(self, _: object, __: Envelope) -> None:
        """Count a message."""
        global _handled  # noqa: PLW0603  # the least that a handler can do
        _handled += 1


async def _receive(letters: trio.MemoryReceiveChannel[bytes]) -> None:
    global _handled  # noqa: PLW0603  # as above
    async for _ in letters:
        _handled += 1


async def _listen(messages: Subscription) -> None:
    global _handled  # noqa: PLW0603  # as above
    async for _ in messages:
        _handled += 1


async def _park(parked: list[Task]) -> None:
    global _handled  # noqa: PLW0603  # as above
    me = current_task()
    while True:
        parked.append(me)
        await trio.lowlevel.wait_task_rescheduled(lambda _: Abort.SUCCEEDED)
        _handled += 1


def _timed(messages: int, send: Callable[[], Awaitable[None]]) -> Side:
    """Time sending, until so many more messages were handled."""

    async def time() -> float:
        wanted = _handled + messages
        began = perf_counter()
        await send()
        while _handled < wanted:
            await checkpoint()
        took = perf_counter() - began
        await trio.testing.wait_all_tasks_blocked()
        check_count("messages handled", _handled, wanted)
        return took

    return time


def _by_channel(nursery: trio.Nursery, subscribers: int, burst: int) -> Side:
    posts = []
    for _ in range(subscribers):
        post, letters = trio.open_memory_channel[bytes](_MAILBOX)
        nursery.start_soon(_receive, letters)
        posts.append(post)

    async def send() -> None:
        for _ in range(burst):
            for post in posts:
                post.send_nowait(_PAYLOAD)
            await checkpoint()

    return _timed(subscribers * burst, send)


def _by_topic(system: System, subscribers: int, burst: int) -> Side:
    async def send() -> None:
        for _ in range(burst):
            await system.publish(_TOPIC, _PAYLOAD)

    return _timed(subscribers * burst, send)


def _by_hand(nursery: trio.Nursery, subscribers: int) -> Side:
    parked: list[Task] = []
    for _ in range(subscribers):
        nursery.start_soon(_park, parked)

    async def wake() -> None:
        tasks = parked.copy()
        parked.clear()
        for task in tasks:
            reschedule(task)
        await checkpoint()

    return _timed(subscribers, wake)


def _listeners(count: int) -> Blueprint:
    return blueprint(
        *(actor(f"listener-{n}", Listener, mailbox=_MAILBOX) for n in range(count))
    )


async def _measure(subscribers: int, burst: int, rounds: int) -> Report:
    async with (
        open_system(_listeners(subscribers)) as system,
        open_system(blueprint()) as bare,
        trio.open_nursery() as nursery,
    ):
        for _ in range(subscribers):
            nursery.start_soon(_listen, bare.subscribe(_TOPIC, capacity=_MAILBOX))
        bursts = {
            "channels": _by_channel(nursery, subscribers, burst),
            "actors": _by_topic(system, subscribers, burst),
            "subscriptions": _by_topic(bare, subscribers, burst),
        }
        wakes = {
            "tasks woken": _by_hand(nursery, subscribers),
            "idle channels": _by_channel(nursery, subscribers, 1),
            "idle actors": _by_topic(system, subscribers, 1),
            "idle subscriptions": _by_topic(bare, subscribers, 1),
        }
        await trio.testing.wait_all_tasks_blocked()
        least = await least_times(bursts, rounds)
        woken = await least_times(wakes, rounds * burst // 4)
        nursery.cancel_scope.cancel()
    report = Report(f"one message to one of {subscribers:,}, in bursts of {burst} or 1")
    for name, took in least.items():
        report.measured(name, took / subscribers / burst, seconds)
    for name, took in woken.items():
        report.measured(name, took / subscribers, seconds)
    return report


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--burst", type=int, default=64, help="messages in a burst")
    parser.add_argument("--rounds", type=int, default=8, help="bursts on each side")
    options = parser.parse_args()
    report = trio.run(_measure, options.subscribers, options.burst, options.rounds)
    report.ratio("actors", "channels", at_most=3)
    report.ratio("subscriptions", "channels", at_most=3)
    report.ratio("idle actors", "tasks woken", at_most=1.5)
    report.ratio("idle actors", "idle channels")
    report.ratio("idle subscriptions", "tasks woken")
    report.finish()


if __name__ == "__main__":
    main()
