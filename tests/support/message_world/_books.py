"""The books of a world: what was sent, and every trace that messages left.

A message is known by its payload and its target. Its end leaves one trace: an actor
handled it, its actor failed it, it is a dead letter, or its sender was refused. What
leaves none was dropped by a policy or withdrawn by its sender, and the mailboxes say how
many these are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias, final

import attrs
import trio
from hypothesis import event

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    DeadLetter,
    DeadReason,
    DeliveryFailed,
    Envelope,
    MessageExpired,
    MessageFailed,
    MessagingError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airssys.contracts import ComponentId
    from airssys.messaging import Mailbox, Registry

Key: TypeAlias = tuple[bytes, str]


def key_of(envelope: Envelope) -> Key:
    """Name a message."""
    return envelope.payload, envelope.target.name


@final
class Books:
    """Written while a system runs; balanced when it is at rest or has ended."""

    def __init__(self) -> None:
        self._numbers = 0
        self.registry: Registry | None = None
        self.sent: dict[int, Envelope] = {}
        """Each envelope that came to the gate, by its identity, in order."""
        self.known: set[Key] = set()
        self.unordered: set[bytes] = set()
        """Payloads that the program published or broadcast, beside other sends."""
        self.unreported: set[bytes] = set()
        """What was broadcast by actors that did not get the results, or not yet; and
        what is asked again, whose tries before the last are not reported."""
        self.mailboxes: dict[int, Mailbox] = {}
        self.began: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        """What each target began to handle, by sender and target."""
        self.handled: Counter[Key] = Counter()
        self.failed: Counter[Key] = Counter()
        self.cut: Counter[Key] = Counter()
        """Its handler was cancelled: at its deadline, or with its actor."""
        self.refused: Counter[Key] = Counter()
        self.answered: Counter[Key] = Counter()
        self.stashed: set[Key] = set()
        self.pushed_out = 0
        """Asks that were dropped: their senders know, and the mailbox counts it."""
        self.expired_while_blocked = 0
        self.letters: Any = ()
        """The streams of dead letters and of events, which are read when it is balanced."""
        self.events: Any = ()
        self._letters: list[DeadLetter] = []
        self._failures = 0
        self.requests: dict[str, object] = {}
        """The incarnation that made each request, by correlation id."""
        self.callbacks_begun: Counter[str] = Counter()
        """By correlation id."""
        self.callbacks_handled = 0
        self.incarnations_over: set[object] = set()

    def fresh_number(self) -> int:
        """Return a number that was never returned before."""
        self._numbers += 1
        return self._numbers

    def gate(self, envelope: Envelope) -> None:
        """Note a message that is on its way (a `Gate`)."""
        self.sent.setdefault(id(envelope), envelope)
        self.known.add(key_of(envelope))
        assert self.registry is not None
        if envelope.target in self.registry:
            mailbox = self.registry.find(envelope.target)
            self.mailboxes.setdefault(id(mailbox), mailbox)

    def begin(self, envelope: Envelope) -> None:
        """Note that a message is being handled."""
        pair = envelope.sender.name, envelope.target.name
        self.began[pair].append(envelope.payload)

    @contextmanager
    def refusals(self, key: Key, *, swallow: bool = True) -> Iterator[None]:
        """Note the error that the sender of a message gets, if it gets one."""
        try:
            yield
        except MessagingError as error:
            self.refuse(key, error)
            if not swallow:
                raise

    def note_broadcast(
        self, payload: bytes, results: Mapping[ComponentId, MessagingError | None]
    ) -> None:
        """Note the results that a broadcaster got."""
        self.unreported.discard(payload)
        for target, error in results.items():
            if error is not None:
                self.refuse((payload, target.name), error)

    def refuse(self, key: Key, error: MessagingError) -> None:
        """Note an error that the sender of a message got."""
        if isinstance(error, (AskTimedOut, CalleeFailed)):
            return  # It was delivered, or withdrawn: its end is reported elsewhere.
        if key not in self.known:
            return  # It never got as far as the gate.
        self.refused[key] += 1
        self.pushed_out += type(error) is DeliveryFailed
        self.expired_while_blocked += isinstance(error, MessageExpired)

    def balance(self, *, is_over: bool) -> None:
        """Check that every message ended exactly one way; some may still be queued.

        Args:
            is_over: the system has ended, so that none may be.
        """
        self._letters += _read(self.letters)
        events = _read(self.events)
        self._failures += sum(isinstance(each, MessageFailed) for each in events)
        sent = Counter(map(key_of, self.sent.values()))
        dead, callbacks_dead, published_lost = self._sort_letters(set(sent))
        cut = self.cut - dead
        ends = self.handled + self.failed + cut + self.refused + dead
        twice = {key: n for key, n in ends.items() if n > sent[key]}
        assert not twice, f"ended more than once: {twice}"
        sums = self._sums()
        vanished = sent.total() - ends.total()
        still_there = sums["queued"] + sums["stashed"] + sums["in_hand"]
        still_there += sums["blocked_senders"]
        assert not (is_over and still_there), f"left over: {sums}"
        unseen = sums["dropped"] + sums["withdrawn"] - self.pushed_out
        unseen -= self.expired_while_blocked
        unreported = [p for p, _ in (sent - ends).elements() if p in self.unreported]
        reported = vanished - unseen - still_there
        assert 0 <= reported <= len(unreported), (sums, sent - ends)
        assert sums["handled"] == self.handled.total() + self.callbacks_handled
        assert sums["failed"] == self.failed.total() + cut.total()
        assert sums["failed"] == self._failures
        given_up = dead.total() - published_lost + callbacks_dead
        assert sums["given_up"] == given_up, (sums, dead)
        for key in self.answered:
            assert self.answered[key] == self.handled[key] == 1
        for way in ("dropped", "withdrawn", "failed", "given_up", "refused", "stashed"):
            event(f"{way}: {bool(sums[way] or (way == 'stashed' and self.stashed))}")

    def check_order(self) -> None:
        """Check that each pair's messages were handled in the order they were sent in."""
        order = {key_of(each): place for place, each in enumerate(self.sent.values())}
        tries = Counter(map(key_of, self.sent.values()))
        for (_, target), payloads in self.began.items():
            kept = [
                payload
                for payload in payloads
                if (payload, target) not in self.stashed
                and payload not in self.unordered
                and tries[payload, target] == 1
            ]
            places = [order[payload, target] for payload in kept]
            assert places == sorted(places), kept

    def check_requests(self, *, at_rest: bool) -> None:
        """Check that each request had one callback at most; at rest one, unless lost.

        It may be lost with the incarnation that had made it.
        """
        for name, maker in self.requests.items():
            assert self.callbacks_begun[name] <= 1
            if at_rest and maker not in self.incarnations_over:
                assert self.callbacks_begun[name] == 1

    def _sort_letters(self, known: set[Key]) -> tuple[Counter[Key], int, int]:
        dead: Counter[Key] = Counter()
        callbacks = published = 0
        for letter in self._letters:
            if letter.reason is DeadReason.LATE_ANSWER:
                continue
            key = letter.payload, letter.target.name
            if key not in known:
                callbacks += 1
                continue
            dead[key] += 1
            published += letter.why.startswith("it was published")
        return dead, callbacks, published

    def _sums(self) -> Counter[str]:
        sums: Counter[str] = Counter()
        for mailbox in self.mailboxes.values():
            counts: dict[str, Any] = attrs.asdict(mailbox.statistics())
            sums.update(counts)
        return sums


def _read(stream: Any) -> list[Any]:
    found = []
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            found.append(stream.next_nowait())
    return found
