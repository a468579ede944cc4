"""A name and its mailbox: what of an actor outlives its incarnations."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, final

from airssys.contracts import BadTopic, NameTaken, NotGranted, rules_of
from airssys.messaging import ActorSubscriber, Mailbox, unavailable

from ._retried import Retried

if TYPE_CHECKING:
    from airssys.contracts import ActorSpec, Codecs, ComponentSpec
    from airssys.messaging import Pool
    from airssys.nursery.shared import Shared
    from airssys.security.authority import Authority, Hold


def codecs_wanted(spec: ActorSpec | ComponentSpec) -> Codecs | None:
    """Return the codecs that messages to an actor must be in; None: any will do."""
    codecs = spec.codecs
    return None if codecs is None or codecs.take_anything else codecs


def close_to_dead_letters(mailbox: Mailbox, shared: Shared, why: str) -> None:
    """Close a mailbox, and make dead letters of what is left in it."""
    if not (mailbox.contents() or mailbox.blocked_senders):
        mailbox.close()  # as most are; the error takes as long as the rest of an end
        return
    error = unavailable(mailbox.owner, why or "it ended", shared.wall_clock())
    in_hand = mailbox.in_hand
    for envelope in mailbox.close(error):
        was_begun = envelope is in_hand or isinstance(envelope, Retried)
        refusal = None if was_begun else copy(error)
        text = f"its actor was stopped ({why})" if why else "its actor was stopped"
        shared.broker.dead_letter(envelope, text, refusal=refusal)


@final
class Address:
    """Reachable from the actor's first being ready until it is closed for good.

    For as long it is subscribed to the topics that its actor was declared with. Of a
    member of a pool it is also what the pool gives messages to.
    """

    __slots__ = (
        "_holds",
        "_is_open",
        "_lag",
        "_member",
        "_pool",
        "_subscriber",
        "_topics",
        "authority",
        "id",
        "mailbox",
        "shared",
    )

    def __init__(
        self,
        spec: ActorSpec | ComponentSpec,
        shared: Shared,
        pool: Pool | None = None,
    ) -> None:
        self.id, self.shared = spec.id, shared
        self._pool, self._member = pool, None
        if pool is None:
            rules = rules_of(spec.overflow)
            self.mailbox = Mailbox(
                spec.id,
                spec.mailbox,
                rules,
                spec.message_bytes,
                codecs_wanted(spec),
                spec.mailbox_bytes,
            )
        else:
            self._member = pool.make_member(spec.id)
            self.mailbox = self._member.mailbox
        self._topics, self._lag = spec.topics, spec.lag
        self._subscriber: ActorSubscriber | None = None
        """Of its topics, if there are some."""
        self._is_open = False
        self.authority: Authority | None = None
        """What its actor may do; None: all. Known before it is opened."""
        self._holds: dict[str, Hold] | None = None
        """By topic: what ends its subscription with what allows it; None before the first."""

    @property
    def is_of_member(self) -> bool:
        """Whether a pool gives it messages."""
        return self._member is not None

    def claim(self) -> bool:
        """Take the name, unless another actor has it; whether this one has it.

        That decides for the mailbox, grants, quotas and what is stored: who has not got
        the name is refused before its code runs.
        """
        return self.shared.registry.claim(self.mailbox)

    @property
    def has_the_name(self) -> bool:
        """Whether this one claimed the name, and has not given it up."""
        return self.shared.registry.has_claimed(self.mailbox)

    def arrive(self) -> None:
        """Let the actor, while it starts, send messages to itself, but to no other actor.

        Raises:
            NameTaken: another actor has the name.
        """
        self.check_free()
        if not self._is_open:
            self.shared.registry.note_arriving(self.mailbox)

    def check_free(self) -> None:
        """Make sure that no other actor has the name.

        Raises:
            NameTaken: another actor has it.
        """
        if not (self._is_open or self._is_free()):
            raise NameTaken(self.id)

    def _is_free(self) -> bool:
        return self.id not in self.shared.registry and self.claim()

    def open(self) -> None:
        """Make the mailbox reachable; it stays so across restarts.

        Raises:
            NameTaken: another actor has the name.
        """
        if not self.try_open():
            raise NameTaken(self.id)

    def try_open(self) -> bool:
        """Make the mailbox reachable, unless another actor has the name; whether it is."""
        if not self._is_open:
            if not self._is_free():
                return False
            self._open()
        return True

    def _open(self) -> None:
        self.shared.registry.register(self.mailbox)
        self.shared.registry.note_arrived(self.mailbox)
        self._is_open = True
        if self._topics:
            self._subscriber = ActorSubscriber(self.id, self.shared.publishing)
            for pattern in self._topics:
                with suppress(NotGranted):  # revoked since, which was reported
                    self._subscribe(self._subscriber, pattern)
        if self._pool is not None and self._member is not None:
            self._pool.join(self._member)

    def _subscribe(self, subscriber: ActorSubscriber, pattern: str) -> None:
        authority = self.authority
        if authority is None:
            subscriber.subscribe(pattern, self._lag)
            return
        access = authority.check("messaging", "subscribe", pattern).access
        subscriber.subscribe(pattern, self._lag)
        end = partial(self._unsubscribe, subscriber, pattern)
        if self._holds is None:
            self._holds = {}
        self._holds[pattern] = authority.hold(access, end)

    def _unsubscribe(self, subscriber: ActorSubscriber, pattern: str) -> None:
        if self._holds is not None:
            self._holds.pop(pattern, None)
        with suppress(BadTopic):  # it has ended already
            subscriber.unsubscribe(pattern)

    def close(self, why: str = "") -> None:
        """Give up the name and close the mailbox; what is left in it are dead letters.

        What a member of a pool had from the pool is left to the other members, or to the
        pool. A caller that waits for a message that was not begun is notified that the
        actor is unavailable.

        Args:
            why: the answer to requests for the name from now on; empty: no reason.
        """
        self.shared.registry.give_up(self.mailbox)
        if not self._is_open:
            self._close_unopened()
            return
        self._is_open = False
        self.shared.registry.unregister(self.id)
        if self._subscriber is not None:
            self._subscriber.close()
        while self._holds and self.authority is not None:
            self.authority.release(self._holds.popitem()[1])
        self.shared.infos.pop(self.id, None)
        self.shared.watches.note_gone(self.id)
        if self._pool is not None and self._member is not None:
            self._pool.retire(self._member)
        if why:
            self.shared.registry.note_gone(self.id, why, self.shared.wall_clock())
        close_to_dead_letters(self.mailbox, self.shared, why)
        if self._pool is not None and self._member is not None:
            self._pool.forget(self._member)

    def _close_unopened(self) -> None:
        """Close the mailbox of one that never was ready: it may have sent to itself."""
        registry = self.shared.registry
        was_arriving = registry.is_arriving(self.id)
        registry.note_arrived(self.mailbox)
        if was_arriving and self.id not in registry:
            self.shared.watches.note_gone(self.id)
        for envelope in self.mailbox.close():
            self.shared.broker.dead_letter(envelope, "its actor never was ready")
