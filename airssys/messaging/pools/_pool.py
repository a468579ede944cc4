"""Several mailboxes behind one name: which one gets a message, and what moves between them.

To a broker a pool is a mailbox. It queues nothing itself: each message goes at once to
the mailbox of one member, or waits for room there.

* The member is chosen in the sender's step, at a cost that does not grow with the
  number of members: the next in turn, the one with least to do (`_loads`), or the one
  that the message's key belongs to (`_hash_ring`). Where keys do not decide, a message
  finds no room only if no member has any, and gets the first that there is.
* A member that leaves gives the messages that it has not begun to the others: its queue,
  and the messages that wait for room there. A member that joins takes over its share, or,
  with keys, the messages that belong to it now. This happens in the step in which the
  choice changes, so that no message overtakes another of the same key on its way into a
  mailbox. Messages that are moved need no room.
* While there are no members, or the pool is *suspended* because it is being started
  again, messages wait in the *lobby*, a mailbox of its own, and so do those that its
  members had not begun. New members get the messages in the lobby.
* Messages that a member was sent in its own name stay with it.
"""

from __future__ import annotations

from collections import Counter, deque
from itertools import count
from typing import TYPE_CHECKING, TypeAlias, TypeVar, final

import attrs
from trio.lowlevel import enable_ki_protection

from airssys.contracts import (
    DEFAULT_MAILBOX_BYTES,
    DEFAULT_MESSAGE_BYTES,
    ComponentId,
    Envelope,
    InvalidMessage,
    KeyFunction,
    RequestWouldDeadlock,
    Routing,
    TargetNotFound,
)
from airssys.messaging.mailboxes import (
    JointWaiter,
    Mailbox,
    MailboxStatistics,
    ParkedTask,
    nothing,
    refusal,
    stay as nothing_of,
)
from airssys.messaging.requests import PendingAsk

from ._hash_ring import HashRing
from ._loads import Loads
from ._message_key import read_key
from ._routee import Routee

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.contracts import Codecs, OverflowRules
    from airssys.messaging.mailboxes import BlockedSender, OverflowAction

T = TypeVar("T")


@final
class Pooled(Envelope):
    """A message to a pool, on its way to the member that it was given to."""

    __slots__ = ()


@final
class Pool:
    """What stands behind the name of a pool."""

    def __init__(  # noqa: PLR0913  # what a mailbox takes, and two of its own
        self,
        owner: ComponentId,
        routing: Routing,
        key: KeyFunction | None = None,
        *,
        capacity: int,
        rules: OverflowRules,
        message_bytes: int = DEFAULT_MESSAGE_BYTES,
        codecs: Codecs | None = None,
        most_bytes: int = DEFAULT_MAILBOX_BYTES,
    ) -> None:
        self.owner, self.message_bytes = owner, message_bytes
        self.codecs = codecs
        self.unexamined_bytes = message_bytes if codecs is None else -1
        """Larger payloads need a closer look; -1: all do."""
        self._capacity, self._rules = capacity, rules
        self._most_bytes = most_bytes
        self.alarm_above: float = float("inf")
        """The load of all members together above which `alarm` is called."""
        self.alarm: Callable[[], None] = nothing
        self.on_gone: Callable[[ComponentId], None] = nothing_of
        """Called when a member is gone for good."""
        self.end_by: Callable[[BaseException], None] = nothing_of
        """Called with what the key function raised to end the program, while messages
        are moved: that must not fail."""
        self.most = 0
        """The greatest load of all members together since this was set."""
        self.is_open = True
        self.is_suspended = False
        """Its members get no messages for now."""
        self._key = key
        self._known: dict[ComponentId, Routee] = {}
        """All members that there are, also those that get no more messages."""
        self._in_turn: deque[Routee] = deque()
        """Those that get messages; the next one first."""
        self._loads: Loads[Routee] = Loads()
        """The same, with what they have to do."""
        self._ring: HashRing[Routee] | None = None
        self._takes_turns = routing is Routing.ROUND_ROBIN
        if routing is Routing.CONSISTENT_HASH:
            self._ring = HashRing()
        self._crowded: dict[Routee, None] = {}
        """Those where a message may wait for room that any other member may take."""
        self._past: Counter[str] = Counter()
        """What happened to the messages of members that are gone."""
        self._lobby = self.make_member(owner)

    @property
    def members(self) -> tuple[ComponentId, ...]:
        """Those that get messages now."""
        return tuple(m.id for m in self._known.values() if m.is_routed_to)

    @property
    def load(self) -> int:
        """What the members that get messages have to do, all together."""
        return self._loads.total

    def load_of(self, member: ComponentId) -> int:
        """What one member has to do; 0 of one that gets no messages."""
        known = self._known.get(member)
        return 0 if known is None else self._loads.of(known)

    # ------------------------------------------------------------ for a broker

    @property
    def keeps_up(self) -> bool:
        """False: it depends on the member that the next message goes to."""
        return False

    @enable_ki_protection
    def offer(self, envelope: Envelope) -> bool:
        """Give a message to a member; False if there is no room for it.

        Raises:
            TargetNotFound: there are no members now.
            InvalidMessage: its key cannot be read.
        """
        member = self._choose(envelope)
        return member.mailbox.offer(_addressed(envelope, member))

    @enable_ki_protection
    def overflow(self, envelope: Envelope, *, may_wait: bool) -> OverflowAction:
        """Decide what happens to a message that found no room, as `Mailbox.overflow`."""
        member = self._choose(envelope)
        return member.mailbox.overflow(_addressed(envelope, member), may_wait=may_wait)

    @property
    def lobby(self) -> Mailbox:
        """Where messages wait while no member gets them."""
        return self._lobby.mailbox

    def count_refused(self) -> None:
        """Count a message that was refused before it was given to a member."""
        self._past["refused"] += 1

    def candidates(self, envelope: Envelope) -> Iterator[tuple[Mailbox, Envelope]]:
        """Visit members that may get a message, with the message as theirs.

        The first one is the one to choose.
        """
        first = self._choose(envelope)
        is_fixed = self._ring is not None or first is self._lobby
        others = () if is_fixed else tuple(self._in_turn)
        for member in (first, *others):
            if not is_fixed and member.mailbox.is_full:
                self._crowded[member] = None
            yield member.mailbox, _addressed(envelope, member)

    def statistics(self) -> MailboxStatistics:
        """Count the messages that the members have now, and what happened to the rest."""
        past = dict(self._past)
        there = [*self._known.values(), self._lobby]
        counts = [m.mailbox.statistics() for m in there]
        counts[-1] = attrs.evolve(counts[-1], capacity=0)  # it is their room
        names = attrs.fields_dict(MailboxStatistics)
        sums = {n: past.get(n, 0) + sum(getattr(c, n) for c in counts) for n in names}
        # What was moved ends where it arrived.
        sums["moved"] = 0
        most = [c.high_water for c in counts]
        sums["high_water"] = max([past.get("high_water", 0), *most])
        return MailboxStatistics(**sums)

    # ------------------------------------------------------ members come and go

    def make_member(self, id: ComponentId) -> Routee:  # noqa: A002  # as in the contracts
        """Make a member that gets no messages yet; all have equal mailboxes."""
        most, codecs, changed = self.message_bytes, self.codecs, self._note_load
        capacity, rules, total = self._capacity, self._rules, self._most_bytes
        return Routee(id, capacity, rules, most, codecs, changed, total)

    @enable_ki_protection
    def join(self, member: Routee) -> None:
        """Let a member get messages from now on, and its share of what is queued."""
        others = tuple(self._in_turn)
        member.is_routed_to = True
        self._known[member.id] = member
        self._in_turn.appendleft(member)
        self._note_load(member)
        if self._ring is not None:
            self._ring.add(member, str(member.id))
            for other in others:
                self._move(other, lambda e: _is_ours(e) and self._owner(e) is member)
        if not self.is_suspended and self._lobby.load:
            self._move(self._lobby, _is_ours)
        if self._ring is not None:
            return
        # One of the load is what a member handles. The least gets what others give up.
        fair = self._loads.total // len(self._in_turn) - 1
        for other in others:
            self._move(other, _beyond(fair))

    @enable_ki_protection
    def retire(self, member: Routee) -> None:
        """Let a member get no more messages, and give what it has to the others.

        The message that it handles and its stash stay with it. Calling this again gives
        away what it has got since, for example out of its stash.
        """
        if member.is_routed_to:
            member.is_routed_to = False
            self._in_turn.remove(member)
            self._crowded.pop(member, None)
            self._loads.remove(member)
            if self._ring is not None:
                self._ring.remove(member)
        if self.is_open and self._in_turn and not self.is_suspended:
            self._move(member, _is_ours)
        elif self.is_open:
            self._take_back(member)

    @enable_ki_protection
    def suspend(self, *, keeps: bool) -> None:
        """Let no member get messages; what comes from now on waits.

        Args:
            keeps: the members go on with what they have, until they retire. Otherwise
                that waits too, first.
        """
        self.is_suspended = True
        room = self._capacity * max(1, len(self._in_turn))
        self._lobby.mailbox.capacity = room
        if not keeps:
            for member in tuple(self._in_turn):
                self._take_back(member)

    @enable_ki_protection
    def resume(self) -> None:
        """Let the members get messages again, those first that wait."""
        self.is_suspended = False
        if self._in_turn:
            self._move(self._lobby, _is_ours)

    def retire_newest(self) -> ComponentId | None:
        """Let the member that came last get no more messages; None if there is none."""
        newest = next(
            (m for m in reversed(self._known.values()) if m.is_routed_to), None
        )
        if newest is None:
            return None
        self.retire(newest)
        return newest.id

    def forget(self, member: Routee) -> None:
        """Forget a member that is gone, except for what happened to its messages."""
        if self._known.pop(member.id, None) is None:
            return
        self.on_gone(member.id)
        ends = attrs.asdict(member.mailbox.statistics())
        high_water = max(ends.pop("high_water"), self._past["high_water"])
        del ends["capacity"]
        self._past.update(ends)
        self._past["high_water"] = high_water

    # ----------------------------------------------------------------- choosing

    def _choose(self, envelope: Envelope) -> Routee:
        if self.is_suspended or not self._in_turn:
            return self._lobby
        if self._ring is not None:
            return self._ring.choose(read_key(self.owner, self._key, envelope))
        if self._takes_turns:
            self._in_turn.rotate(-1)
            member = self._in_turn[-1]
            if not member.mailbox.is_full:
                return member
        else:
            self._in_turn.rotate(-1)  # for senders that wait for room, if there is none
        least = self._loads.least()
        if not least.mailbox.is_full:
            return least
        last = self._in_turn[-1]
        if not least.mailbox.is_full_of_bytes:
            return last
        # Loads are counted in messages, so another one may have room for bytes.
        return next((m for m in self._in_turn if not m.mailbox.is_full), last)

    def _owner(self, envelope: Envelope) -> Routee | None:
        """Return the member that a message belongs to by its key, if the key is valid."""
        try:
            return self._choose(envelope)
        except InvalidMessage:
            return None
        except BaseException as error:  # noqa: BLE001, ASYNC103  # handed on
            self.end_by(error)
            return None  # noqa: ASYNC104  # as above

    def _note_load(self, member: Routee, *, has_taken: bool = False) -> None:
        if not member.is_routed_to:
            return
        self._loads.set(member, member.load)
        if has_taken and self._crowded and not member.mailbox.is_full:
            self._relieve(member)
        total = self._loads.total
        self.most = max(self.most, total)
        if total > self.alarm_above:
            self.alarm()

    # ------------------------------------------------------------------- moving

    def _move(self, source: Routee, wanted: Callable[[Envelope], bool]) -> None:
        queued, blocked = source.mailbox.take_out(wanted)
        for envelope in queued:
            self._pass_on(envelope)
        touched = {source.mailbox: None}
        for sender, envelope, recheck in blocked:
            member = self._heir(envelope)
            touched[member.mailbox] = None
            try:
                _turn(sender, member)
            except RequestWouldDeadlock as error:
                self.count_refused()
                sender.refused(error)
            else:
                member.mailbox.block(sender, _addressed(envelope, member), recheck)
        for mailbox in touched:
            mailbox.let_in()

    def _take_back(self, member: Routee) -> None:
        """Let what a member has not begun wait in the lobby, before all that is there.

        Messages that waited for room there are let in here, so that later ones do not
        overtake them.
        """
        queued, blocked = member.mailbox.take_out(_is_ours)
        lobby = self._lobby
        for sender, envelope, recheck in blocked:
            error = refusal(envelope, recheck)
            if error is None:
                queued.append(envelope)
                sender.admitted()
            else:
                self.count_refused()
                sender.refused(error)
        for envelope in queued:
            if isinstance(envelope.reply, PendingAsk):
                envelope.reply.turn_to(lobby.id)  # which waits for no actor
        lobby.mailbox.put_first([_addressed(each, lobby) for each in queued])

    def _relieve(self, member: Routee) -> None:
        """Give the room of this member to a message that waits for room elsewhere."""
        waiting = None
        while waiting is None and self._crowded:
            other = next(iter(self._crowded))
            waiting = other.mailbox.take_first_blocked(_is_ours)
            if waiting is None:
                del self._crowded[other]
        if waiting is None:
            return
        sender, envelope, recheck = waiting
        try:
            _turn(sender, member)
        except RequestWouldDeadlock:  # for others of the pool it may wait
            other.mailbox.block(sender, envelope, recheck)
            return
        member.mailbox.block(sender, _addressed(envelope, member), recheck)
        member.mailbox.let_in()

    def _heir(self, envelope: Envelope) -> Routee:
        """Return the member that is to handle a message that another has not begun."""
        if self._ring is None:
            return self._loads.least()
        return self._owner(envelope) or self._in_turn[0]

    def _pass_on(self, envelope: Envelope) -> None:
        member = self._heir(envelope)
        reply = envelope.reply
        if isinstance(reply, PendingAsk):
            try:
                reply.turn_to(member.id)
            except RequestWouldDeadlock as error:
                reply.fail(error)
                self.count_refused()
                return
        member.mailbox.put_in(_addressed(envelope, member))


Recipient: TypeAlias = Mailbox | Pool
"""What a name leads to."""


def _is_ours(envelope: Envelope) -> bool:
    return isinstance(envelope, Pooled)


def _beyond(fair: int) -> Callable[[Envelope], bool]:
    """Return a predicate that is true for all messages after that many."""
    numbers = count()
    return lambda envelope: _is_ours(envelope) and next(numbers) >= fair


def _turn(sender: BlockedSender, member: Routee) -> None:
    """Let a sender wait for the room of another member.

    Raises:
        RequestWouldDeadlock: that member waits for the sender; nothing was changed.
    """
    if isinstance(sender, PendingAsk):
        sender.turn_to(member.id)
        sender.block_at(member.mailbox)
    elif isinstance(sender, ParkedTask | JointWaiter):
        sender.turn_to(member.mailbox, member.id)


def _addressed(envelope: Envelope, member: Routee) -> Pooled:
    return Pooled._make((member.id, *envelope[1:]))


def first_that(
    pool: Pool, envelope: Envelope, begin: Callable[[ComponentId], T]
) -> tuple[Mailbox, Envelope, T]:
    """Find a member that the sender may wait for, and begin to wait.

    Returns:
        Its mailbox, the message as that member's, and what `begin` returned.

    Raises:
        RequestWouldDeadlock: all that may get the message wait for its sender; the
            path is that of the first.
        TargetNotFound, InvalidMessage: as `Pool.offer`.
    """
    problem: RequestWouldDeadlock | None = None
    for mailbox, addressed in pool.candidates(envelope):
        try:
            return mailbox, addressed, begin(addressed.target)
        except RequestWouldDeadlock as error:
            problem = error if problem is None else problem
    raise TargetNotFound(pool.owner) if problem is None else problem
