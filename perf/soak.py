"""Millions of messages through pipelines that crash: all accounted for, memory flat.

10 million messages go through three Python actors, 400,000 through three components, each
from one to the next. Of the components the second one cannot be taken apart, so both lanes
are side by side. One message in a hundred crashes an actor: the first, the second or
the third, in turn. It is restarted without a pause and without a limit.

After each burst no message is on its way, and each message must have ended in one way:
handled by the last actor, refused to its sender, or a dead letter. The memory that belongs
to no file is read a hundred times at such moments. A line fitted through the last half of
the readings may rise by less than a byte for each message.

Each pipeline runs in its own process. `make test-slow` runs this.
"""

from __future__ import annotations

import argparse
import gc
import itertools
from collections import Counter
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final, final

import trio
import trio.testing
from measuring.children import run_child, tell_parent
from measuring.guests import guest_file, whole_only
from measuring.ratios import Report, count, fit_line, seconds

from airssys.contracts import (
    NO_BACKOFF,
    ChildStarted,
    DeadLetter,
    Envelope,
    MailboxFull,
)
from airssys.dsl import actor, blueprint, component
from airssys.security import everything
from airssys.system import open_system

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airssys.contracts import Blueprint, ChildSpec
    from airssys.nursery import ActorContext
    from airssys.system import EventStream, System

_NAMES: Final = ("first", "second", "third")
_ROLLUP: Final = Path("/proc/self/smaps_rollup")
_UNLIMITED: Final = 1_000_000_000
_SHORT: Final = 1e-3
_BURST: Final = 600
_SAMPLES: Final = 100
_MOST_RISE: Final = 1.0
"""Bytes for each message."""
_ENDS: Final = ("handled", "refused", "dead-lettered")


def _payload(number: int) -> bytes:
    """Make a message; every 300th makes the first actor crash, and so on.

    It begins with the number of the actor that it makes crash, or with 0. The third one
    is, among components, another guest, with a word of its own for it.
    """
    if number % 100:
        return b"0%63d" % number
    stage = number // 100 % 3 + 1
    return b"boom" if stage == 3 else b"%d" % stage


class Stage:
    """An actor that hands each message to the next one, or crashes."""

    def __init__(self, trigger: bytes, following: str | None) -> None:
        self._trigger, self._following = trigger, following

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        """Hand it on.

        Raises:
            RuntimeError: the message is meant to crash this actor.
        """
        payload = envelope.payload
        if payload == self._trigger:
            raise RuntimeError("on request")
        if self._following is not None:
            context.tell(self._following, payload)


def _actors() -> Blueprint:
    triggers, following = (b"1", b"2", b"boom"), (*_NAMES[1:], None)
    stages = zip(_NAMES, triggers, following, strict=True)
    return _unlimited(
        actor(name, Stage, trigger, after, backoff=NO_BACKOFF)
        for name, trigger, after in stages
    )


def _components() -> Blueprint:
    codes, names = (
        (guest_file("stage"), whole_only("stage")),
        itertools.pairwise(_NAMES),
    )
    stages = [
        component(
            name,
            codes[n - 1],
            data=f"local/{after}/0/{n}",
            backoff=NO_BACKOFF,
            can=everything(),
        )
        for n, (name, after) in enumerate(names, 1)
    ]
    last = component(
        _NAMES[-1], guest_file("fragile"), backoff=NO_BACKOFF, can=everything()
    )
    return _unlimited([*stages, last])


def _unlimited(stages: Iterable[ChildSpec]) -> Blueprint:
    return blueprint(*stages, restarts=_UNLIMITED, period=_SHORT, restart_budget=None)


def _memory() -> int:
    gc.collect()
    lines = _ROLLUP.read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


class Unaccounted(Exception):
    """A message ended in no way, or in two."""


@final
class Books:
    """What was sent, and how it ended."""

    def __init__(self, system: System, events: EventStream) -> None:
        self._system, self._events = system, events
        self.ends = Counter(dict.fromkeys((*_ENDS, "restarts"), 0))
        self.sent = 0

    async def send(self, burst: int) -> None:
        """Send a burst and wait until nothing of it is on its way."""
        tell = self._system.tell
        for number in range(self.sent, self.sent + burst):
            try:
                tell(_NAMES[0], _payload(number))
            except MailboxFull:
                self.ends["refused"] += 1
        self.sent += burst
        await trio.testing.wait_all_tasks_blocked()
        # A guest in a worker thread; there is no notice when it is over.
        while any(map(self._is_busy, _NAMES)):  # noqa: ASYNC110 (see above)
            await trio.sleep(_SHORT)

    def _is_busy(self, name: str) -> bool:
        box = self._system.mailbox(name)
        return bool(box.queued or box.in_hand or box.blocked_senders)

    def balance(self) -> None:
        """Make sure that each message ended in one way.

        Raises:
            Unaccounted: one did not, or an event was missed.
        """
        with suppress(trio.WouldBlock):
            while True:
                event = self._events.next_nowait()
                self.ends["dead-lettered"] += isinstance(event, DeadLetter)
                self.ends["restarts"] += isinstance(event, ChildStarted)
        self.ends["handled"] = self._system.mailbox(_NAMES[-1]).handled
        ended = sum(self.ends[end] for end in _ENDS)
        if ended != self.sent or self._events.dropped:
            raise Unaccounted(f"{ended} ended of {self.sent} sent: {self.ends}")


async def _run(stages: Blueprint, messages: int) -> None:
    opening = open_system(stages)
    with opening.listen() as events:
        async with opening as system:
            books, points = Books(system, events), []
            began, bursts = perf_counter(), 0
            while books.sent < messages:
                # Now and then more than the first mailbox holds.
                await books.send(_BURST * (1 + (bursts % 50 == 49)))
                books.balance()
                bursts += 1
                if books.sent * _SAMPLES >= messages * len(points):
                    points.append((books.sent, _memory()))
            took = perf_counter() - began
    rise, _ = fit_line(points[len(points) // 2 :])
    tell_parent(took=took, sent=books.sent, rise=rise, **books.ends)


def _report(sizes: dict[str, int]) -> None:
    report = Report("pipelines of three, with a crash at one message in a hundred")
    for kind, messages in sizes.items():
        found = run_child(__file__, "--run", kind, f"--{kind}", messages)
        for what in ("sent", *_ENDS, "restarts"):
            report.measured(f"{kind}: {what}", found[what], count)
        ended = sum(found[end] for end in _ENDS)
        report.counted(f"{kind}: ended", ended, found["sent"])
        report.measured(f"{kind}: each", found["took"] / found["sent"], seconds)
        report.measured(f"{kind}: all", found["took"], seconds)
        report.measured(
            f"{kind}: bytes for each message, last half",
            found["rise"],
            "{:.3f}".format,
            at_most=_MOST_RISE,
        )
    report.finish()


def main() -> None:
    """Run each pipeline in a process of its own, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--actors", type=int, default=10_000_000, help="messages")
    parser.add_argument("--components", type=int, default=400_000, help="messages")
    parser.add_argument("--run", choices=tuple(_PIPELINES), help="in this process")
    options = parser.parse_args()
    sizes = {"actors": options.actors, "components": options.components}
    if options.run:
        trio.run(_run, _PIPELINES[options.run](), sizes[options.run])
    else:
        _report(sizes)


_PIPELINES: Final = {"actors": _actors, "components": _components}


if __name__ == "__main__":
    main()
