"""Every message ends exactly one way, whatever happens to its sender and its receiver.

The ways: handled, refused to its sender, given up as a dead letter, dropped by the policy of
its target, withdrawn by its sender while it waited for room, or still queued. What leaves
no trace is what the mailboxes count as dropped or withdrawn, to the last message.
"""

from collections import Counter

import attrs
import trio
from hypothesis import event, given, strategies as st
from trio.testing import MockClock

from airssys.contracts import (
    AskTimedOut,
    CalleeFailed,
    ComponentId,
    DeadLetter,
    DeadReason,
    DeliveryFailed,
    MessageExpired,
    MessagingError,
    NotGranted,
    Overflow,
    OverflowRules,
    Priority,
    StashFull,
    rules_of,
)
from airssys.messaging import Ending

ACTORS = [ComponentId.parse(name) for name in "abc"]
actors = st.sampled_from(ACTORS)
moments = st.integers(0, 8)
targets = st.sampled_from([ACTORS[0], ACTORS[0], *ACTORS])

priorities = st.sampled_from([None, None, *Priority])
lives = st.sampled_from([None, None, 0, 1, 4])
posts = st.tuples(
    st.just("post"),
    moments,
    st.sampled_from(["tell", "send", "ask"]),
    actors,
    targets,
    priorities,
    lives,
)
policies = st.one_of(
    st.just(OverflowRules()),
    st.sampled_from(Overflow).map(rules_of),
    st.builds(
        OverflowRules,
        **dict.fromkeys(["unmarked", "low", "normal"], st.sampled_from(Overflow)),
    ),
)
accidents = st.tuples(
    st.just("accident"),
    moments,
    st.sampled_from(["crash", "crash", "remove", "revoke"]),
    actors,
)
steps = st.one_of(*[posts] * 12, accidents)
PLANS = st.one_of(
    st.lists(steps, min_size=5, max_size=40),
    # No actor ends, so that mailboxes stay full.
    st.lists(posts, min_size=20, max_size=30),
)


@attrs.define
class Ledger:
    """Carries a plan out and writes down how each message ended."""

    world: object
    nursery: trio.Nursery
    ends: Counter = attrs.field(factory=Counter)
    answers: Counter = attrs.field(factory=Counter)
    reported: Counter = attrs.field(factory=Counter)
    """Messages whose end their sender got, and for which the mailbox has another word."""
    revoked: set = attrs.field(factory=set)
    instances: dict = attrs.field(factory=dict)
    mailboxes: list = attrs.field(factory=list)
    stashed: set = attrs.field(factory=set)
    handed_over: list = attrs.field(factory=list)
    """In the order in which senders handed them over."""
    handled: dict = attrs.field(factory=dict)
    """In order, for each pair of sender and target."""
    posted: int = 0

    def gate(self, envelope):
        if envelope.sender in self.revoked:
            raise NotGranted("revoked")

    def end(self, payload, way):
        self.ends[payload, way] += 1
        event(way)

    async def post(self, moment, way, sender, target, priority, ttl):
        self.posted += 1
        payload, timeout = b"%d" % self.posted, self.posted % 5 + 0.125
        await trio.sleep(moment)
        self.handed_over.append(payload)
        with trio.move_on_after(moment % 4 + 0.5):
            try:
                if way == "ask":
                    await self.ask(sender, target, payload, timeout, priority)
                else:
                    await self.write(way, sender, target, payload, priority, ttl)
            except (AskTimedOut, CalleeFailed):
                return
            except MessagingError as error:
                self.end(payload, "refused")
                if type(error) is DeliveryFailed:
                    self.reported["pushed out"] += 1
                elif type(error) is MessageExpired and ttl:
                    self.reported["expired while blocked"] += 1

    async def ask(self, sender, target, payload, timeout, priority):
        await self.world.ask(
            target, sender, payload, timeout=timeout, priority=priority
        )
        self.answers[payload] += 1

    async def write(self, way, sender, target, payload, priority, ttl):
        expires_at = None if ttl is None else trio.current_time() + ttl
        letter = self.world.letter(
            target, sender, payload, priority=priority, expires_at=expires_at
        )
        if way == "send":
            await self.world.broker.send(letter)
        else:
            self.world.broker.tell(letter)

    async def accident(self, moment, what, victim):
        await trio.sleep(moment + 0.25)
        if what == "revoke":
            self.revoked ^= {victim}
        elif what == "remove" and victim in self.world.registry.ids():
            self.instances.pop(victim).cancel()
            for envelope in self.world.registry.unregister(victim).close():
                self.give_up(envelope)
        elif what == "crash" and victim in self.instances:
            self.instances.pop(victim).cancel()
            self.restart(victim)

    def restart(self, victim):
        mailbox = self.world.registry.find(victim)
        if envelope := mailbox.release(Ending.GIVEN_UP):
            self.give_up(envelope)
        mailbox.unstash_all()
        self.start(victim, mailbox)

    def give_up(self, envelope, reason=DeadReason.STOPPED):
        self.world.broker.dead_letter(envelope, "accident", reason=reason)

    def start(self, name, mailbox):
        scope = self.instances[name] = trio.CancelScope()
        self.nursery.start_soon(self.act, mailbox, scope)

    async def act(self, mailbox, scope):
        with scope:
            while True:
                envelope = await mailbox.take()
                end = envelope.expires_at
                if end is not None and end <= trio.current_time():
                    mailbox.release(Ending.GIVEN_UP)
                    self.give_up(envelope, DeadReason.EXPIRED)
                    continue
                await trio.sleep(1.5)
                if int(envelope.payload) % 4 == 0 and self.stash(mailbox, envelope):
                    continue
                if envelope.reply is not None:
                    envelope.reply.answer(b"")
                mailbox.release()
                mailbox.unstash_all()
                self.end(envelope.payload, "handled")
                pair = (envelope.sender, envelope.target)
                self.handled.setdefault(pair, []).append(envelope.payload)

    def stash(self, mailbox, envelope):
        if envelope.payload in self.stashed:
            return False
        try:
            mailbox.stash()
        except StashFull:
            event("stash full")
            return False
        self.stashed.add(envelope.payload)
        event("stashed")
        return True

    def finish(self):
        world = self.world
        for name in world.registry.ids():
            for envelope in world.registry.unregister(name).close():
                self.end(envelope.payload, "queued")
        for letter in self.dead_letters():
            self.end(letter.payload, "given up")
        per_message = Counter(payload for payload, _ in self.ends.elements())
        assert not [p for p, count in per_message.items() if count > 1], self.ends
        self.compare_counts(self.posted - len(per_message))
        for payload in self.answers:
            assert self.ends[payload, "handled"] == self.answers[payload] == 1
        self.assert_in_order()
        world.assert_at_rest()

    def dead_letters(self):
        letters = [e for e in self.world.events if isinstance(e, DeadLetter)]
        return [e for e in letters if e.reason is not DeadReason.LATE_ANSWER]

    def compare_counts(self, vanished):
        """Compare what was seen from outside with what the mailboxes counted."""
        all_counts = [mailbox.statistics() for mailbox in self.mailboxes]
        sums = Counter()
        for counts in all_counts:
            sums.update(attrs.asdict(counts))
            assert counts.queued == counts.stashed == counts.in_hand == 0
        ways = Counter(way for _, way in self.ends.elements())
        assert sums["handled"] == ways["handled"]
        assert sums["given_up"] == ways["given up"] + ways["queued"]
        dropped = sums["dropped"] - self.reported["pushed out"]
        withdrawn = sums["withdrawn"] - self.reported["expired while blocked"]
        assert vanished == dropped + withdrawn
        event(f"dropped: {bool(dropped)}, withdrawn: {bool(withdrawn)}")

    def assert_in_order(self):
        for payloads in self.handled.values():
            kept = [p for p in payloads if p not in self.stashed]
            assert kept == sorted(kept, key=self.handed_over.index)


async def carry_out(world, rules, plan):
    async with trio.open_nursery() as service:
        await service.start(world.broker.run)
        ledger = Ledger(world, service)
        world.gates.append(ledger.gate)
        for name in ACTORS:
            mailbox = world.open(name, 2, rules)
            ledger.mailboxes.append(mailbox)
            ledger.start(name, mailbox)
        async with trio.open_nursery() as posters:
            for kind, *step in plan:
                posters.start_soon(getattr(ledger, kind), *step)
        for scope in ledger.instances.values():
            scope.cancel()
        await trio.sleep(10)
        ledger.finish()
        service.cancel_scope.cancel()


@given(policies, PLANS)
def test_every_message_ends_exactly_one_way(make_world, rules, plan):
    clock = MockClock(autojump_threshold=0)
    trio.run(carry_out, make_world(), rules, plan, clock=clock)
