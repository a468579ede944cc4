"""One operation on something that holds so much already, for each kind of thing.

Used by `perf/scale.py` and by the tests, which compare few with many. Each operation
leaves as much as it found.
"""

from __future__ import annotations

import itertools
from time import thread_time
from typing import TYPE_CHECKING, Final

import trio

from airssys import System, blueprint, open_system
from airssys.contracts import (
    Callback,
    ComponentId,
    DeadLetter,
    Envelope,
    Lag,
    Overflow,
    OverflowRules,
    Priority,
)
from airssys.messaging import Mailbox, OpenRequests, Registry, WaitGraph
from airssys.messaging.publishing._topics import (  # noqa: PLC2701  # what publishing looks up in
    Subscriptions,
)
from airssys.messaging.requests._deadlines import (  # noqa: PLC2701  # what timers and asks stand in
    Deadlines,
)
from airssys.nursery import Timers, Watches
from airssys.system import DeadLetterStream, EventStream

if TYPE_CHECKING:
    from collections.abc import Callable

    Operation = Callable[[], object]
    Case = Callable[[int, System], Operation]

REPEATS: Final = 100
"""Operations in a row, timed together."""

_ME: Final = ComponentId("local", "me")
_DROPPING: Final = OverflowRules(low=Overflow.DROP_OLDEST)


def letter(priority: Priority | None = None) -> Envelope:
    """Make a message."""
    return Envelope(_ME, _ME, b"", priority=priority)


class Waiting:
    """A sender that waits for room."""

    def admitted(self) -> None:
        """Do nothing."""

    def refused(self, error: Exception) -> None:
        """Do nothing."""


def _filled(size: int, priority: Priority | None) -> Mailbox:
    mailbox = Mailbox(_ME, size, _DROPPING)
    for _ in range(size):
        mailbox.offer(letter(priority))
    return mailbox


def telling_and_taking(size: int, _: System) -> Operation:
    """Put a message into a mailbox and take the oldest."""
    mailbox, one = Mailbox(_ME, size + 1), letter()
    for _number in range(size):
        mailbox.offer(one)

    def once() -> None:
        mailbox.offer(one)
        mailbox.take_nowait()
        mailbox.release()

    return once


def dropping_the_oldest(size: int, _: System) -> Operation:
    """Tell a full mailbox in which all may be dropped."""
    mailbox, one = _filled(size, Priority.LOW), letter(Priority.LOW)
    return lambda: mailbox.overflow(one, may_wait=False)


def dropping_where_none_may_be(size: int, _: System) -> Operation:
    """Tell a full mailbox in which none may be dropped."""
    mailbox, one = _filled(size, Priority.HIGH), letter(Priority.LOW)
    return lambda: mailbox.overflow(one, may_wait=False)


def dropping_behind_many(size: int, _: System) -> Operation:
    """Tell a full mailbox in which only the newest may be dropped."""
    mailbox, one = _filled(size, Priority.HIGH), letter(Priority.LOW)
    mailbox.take_nowait()
    mailbox.offer(one)
    return lambda: mailbox.overflow(one, may_wait=False)


def making_room(size: int, _: System) -> Operation:
    """Let in who has waited longest, and let another one wait."""
    mailbox, one = Mailbox(_ME, 1), letter()
    mailbox.offer(one)

    def once() -> None:
        mailbox.block(Waiting(), one)
        mailbox.take_nowait()
        mailbox.release()

    for _number in range(size):
        mailbox.block(Waiting(), one)
    for _number in range(size // 2):
        once()
    return once


def leaving(size: int, _: System) -> Operation:
    """Wait for room and give it up."""
    mailbox, one = Mailbox(_ME, 1), letter()
    mailbox.offer(one)
    for _number in range(size):
        mailbox.block(Waiting(), one)

    def once() -> None:
        waiting = Waiting()
        mailbox.block(waiting, one)
        mailbox.unblock(waiting)

    return once


def calling_back(size: int, _: System) -> Operation:
    """Put a callback into a mailbox and take the oldest."""
    mailbox, one = Mailbox(_ME, 1), Callback(*letter())
    for _number in range(size):
        mailbox.put_callback(one)

    def once() -> None:
        mailbox.put_callback(one)
        mailbox.take_nowait()
        mailbox.release()

    return once


def requesting(size: int, system: System) -> Operation:
    """Make a request and cancel it, among many that are open."""
    broker = system._broker  # noqa: SLF001  # there is no other way to have this many
    mailbox, other = Mailbox(_ME, 1), ComponentId("local", f"other-{size}")
    theirs = Mailbox(other, 2 * size + 10 * REPEATS)
    broker.registry.register(theirs)
    requests = OpenRequests(broker, mailbox, 2 * size + 10 * REPEATS)
    for _number in range(size):
        requests.request(other, b"", 60)

    def once() -> None:
        requests.cancel(requests.request(other, b"", 60))
        taken = mailbox.take_nowait()
        requests.note_taken(Callback(*taken))
        mailbox.release()
        theirs.take_nowait()
        theirs.release()

    return once


def registering(size: int, _: System) -> Operation:
    """Take a name, find it, give it up."""
    registry = Registry()
    for number in range(size):
        registry.register(Mailbox(ComponentId("local", f"n{number}"), 1))
    mine = Mailbox(_ME, 1)

    def once() -> None:
        registry.register(mine)
        registry.find(_ME)
        registry.unregister(_ME)

    return once


def subscribing(size: int, _: System) -> Operation:
    """Subscribe to a topic, look it up, end it, among subscriptions to others."""
    subscriptions: Subscriptions[int] = Subscriptions()
    for number in range(size):
        subscriptions.add(f"orders.{number}", number)

    def once() -> None:
        subscriptions.add("orders.mine", -1)
        subscriptions.find("orders.mine")
        subscriptions.remove("orders.mine", -1)

    return once


def listening(size: int, system: System) -> Operation:
    """`System.subscribe`, and close, among many that listen."""
    for number in range(size):
        system.subscribe(f"many-{size}.{number}", capacity=1)

    def once() -> None:
        system.subscribe("mine", capacity=1, lag=Lag.BLOCK).close()

    return once


def timing(size: int, _: System) -> Operation:
    """Start a timer and cancel it."""
    timers = Timers()

    def send() -> None:
        """Send nothing: it is never due."""

    for number in range(size):
        timers.start(1e6 + number, send, {}, repeat=True)  # type: ignore[arg-type]  # as above
    return lambda: timers.start(60, send, {}, repeat=True).cancel()  # type: ignore[arg-type]  # as above


def falling_due(size: int, _: System) -> Operation:
    """Let one deadline of many come, and add another one."""
    deadlines: Deadlines[int] = Deadlines()
    for number in range(size):
        deadlines.add(number, float(number))
    numbers = itertools.count()

    def once() -> None:
        number = next(numbers)
        deadlines.pop_due(float(number), 1)
        deadlines.add(size + number, float(size + number))

    return once


def watching(size: int, _: System) -> Operation:
    """Watch an actor, and no longer, while many watch it and others."""
    registry = Registry()
    registry.register(Mailbox(_ME, 1))
    watches = Watches(registry)

    def hear(_: object) -> None:
        """Do nothing: it does not end."""

    for _number in range(size):
        watches.add(_ME, hear)
    return lambda: watches.discard(watches.add(_ME, hear))


def waiting(size: int, _: System) -> Operation:
    """Begin a wait for an actor and end it, while many wait for others."""
    graph = WaitGraph()
    names = [ComponentId("local", f"n{number}") for number in range(size + 2)]
    for number in range(size):
        graph.add(names[number], names[number + 1])

    def once() -> None:
        graph.add(_ME, names[-1])
        graph.remove(_ME, names[-1])

    return once


def waiting_for_a_chain(size: int, _: System) -> Operation:
    """Begin to wait for the head of a chain of waits, and end it."""
    graph = WaitGraph()
    names = [ComponentId("local", f"n{number}") for number in range(size + 1)]
    for number in range(size):
        graph.add(names[number], names[number + 1])

    def once() -> None:
        graph.add(_ME, names[0])
        graph.remove(_ME, names[0])

    return once


def keeping_events(size: int, _: System) -> Operation:
    """Give an event to a stream that is full."""
    stream = EventStream(size)
    one = DeadLetter(_ME, _ME, 0, "")
    for _number in range(size):
        stream.offer(one)
    return lambda: stream.offer(one)


def keeping_dead_letters(size: int, _: System) -> Operation:
    """Give a dead letter to a stream that is full."""
    stream = DeadLetterStream(size, 1)
    one = DeadLetter(_ME, _ME, 0, "")
    for _number in range(size):
        stream.offer(one)
    return lambda: stream.offer(one)


CASES: Final[tuple[Case, ...]] = (
    telling_and_taking,
    dropping_the_oldest,
    dropping_where_none_may_be,
    dropping_behind_many,
    making_room,
    leaving,
    calling_back,
    requesting,
    registering,
    subscribing,
    listening,
    timing,
    falling_due,
    watching,
    waiting,
    waiting_for_a_chain,
    keeping_events,
    keeping_dead_letters,
)


def cost(case: Case, size: int, rounds: int) -> float:
    """Return the seconds of one operation with so much there: the best of some rounds."""

    async def measure() -> float:
        async with open_system(blueprint()) as system:
            operation = case(size, system)
            return min(_time(operation) for _ in range(rounds))

    return trio.run(measure)


def _time(operation: Operation) -> float:
    began = thread_time()
    for _ in range(REPEATS):
        operation()
    return (thread_time() - began) / REPEATS
