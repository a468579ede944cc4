"""Publishing to 1,000 subscribers, against the same loops on raw memory channels.

Compared in one run, in turn, each from the first message to the handling of the last:

* bursts: a number of messages published one after the other to actors with a mailbox of
  1,024, and sent to as many channels of 1,024, each with its own loop;
* wake-ups: one message published to idle actors, and to idle plain subscriptions, against
  as many parked tasks that are rescheduled by hand and park again, and against as many
  idle loops on channels, which also pass the message to each task.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeAlias

import trio
import trio.testing
from measuring.ratios import Report, check_count, seconds
from measuring.sides import Side, least_times
from trio.lowlevel import Abort, Task, checkpoint, current_task, reschedule

from airssys.dsl import actor, blueprint
from airssys.system import open_system

if TYPE_CHECKING:
    from airssys.contracts import Blueprint, Envelope
    from airssys.nursery import ActorContext
    from airssys.system import Subscription, System

_MAILBOX: Final = 1024
_TOPIC: Final = "weather.today"
_PAYLOAD: Final = bytes(64)
_TURNS: Final = 4
Timing: TypeAlias = Callable[[int, int, int], Awaitable[float]]
"""Returns the least seconds of some bursts: of that many subscribers, messages, rounds."""
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
    """Time sending, until that many more messages were handled."""

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


async def _time_tasks(subscribers: int, _: int, rounds: int) -> float:
    async with trio.open_nursery() as nursery:
        least = await _least(_by_hand(nursery, subscribers), rounds)
        nursery.cancel_scope.cancel()
    return least


async def _time_channels(subscribers: int, burst: int, rounds: int) -> float:
    async with trio.open_nursery() as nursery:
        least = await _least(_by_channel(nursery, subscribers, burst), rounds)
        nursery.cancel_scope.cancel()
    return least


async def _time_actors(subscribers: int, burst: int, rounds: int) -> float:
    async with open_system(_listeners(subscribers)) as system:
        return await _least(_by_topic(system, subscribers, burst), rounds)


async def _time_subscriptions(subscribers: int, burst: int, rounds: int) -> float:
    async with open_system(blueprint()) as system, trio.open_nursery() as nursery:
        for _ in range(subscribers):
            nursery.start_soon(_listen, system.subscribe(_TOPIC, capacity=_MAILBOX))
        least = await _least(_by_topic(system, subscribers, burst), rounds)
        nursery.cancel_scope.cancel()
    return least


async def _least(side: Side, rounds: int) -> float:
    await trio.testing.wait_all_tasks_blocked()
    return (await least_times({"one": side}, rounds))["one"]


_BURSTS: Final = {
    "channels": _time_channels,
    "actors": _time_actors,
    "subscriptions": _time_subscriptions,
}
_WAKES: Final = {"tasks woken": _time_tasks} | {
    f"idle {name}": time for name, time in _BURSTS.items()
}


def _add(
    report: Report, times: dict[str, Timing], subscribers: int, burst: int, rounds: int
) -> None:
    """Time each in a run of its own, several times in turn; add the least of each."""
    least = dict.fromkeys(times, float("inf"))
    for _ in range(_TURNS):
        for name, time in times.items():
            took = trio.run(time, subscribers, burst, rounds)
            least[name] = min(least[name], took / subscribers / burst)
    for name, each in least.items():
        report.measured(name, each, seconds)


def main() -> None:
    """Measure, compare, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--burst", type=int, default=64, help="messages in a burst")
    parser.add_argument("--rounds", type=int, default=3, help="bursts in each turn")
    options = parser.parse_args()
    subscribers, burst, rounds = options.subscribers, options.burst, options.rounds
    report = Report(f"one message to one of {subscribers:,}, in bursts of {burst} or 1")
    _add(report, _BURSTS, subscribers, burst, rounds)
    _add(report, _WAKES, subscribers, 1, rounds * 10)
    report.ratio("actors", "channels", at_most=3)
    report.ratio("subscriptions", "channels", at_most=3)
    report.ratio("idle actors", "tasks woken", at_most=1.5)
    report.ratio("idle actors", "idle channels")
    report.ratio("idle subscriptions", "tasks woken")
    report.finish()


if __name__ == "__main__":
    main()
