"""Every message ends exactly one way, whatever happens to its sender and its receiver.

The ways: handled, refused to its sender, given up as a dead letter, or still queued. A message
whose sender was cancelled was either delivered, and then ends one of the other ways, or never.
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
    MessagingError,
    NotGranted,
)

ACTORS = [ComponentId.parse(name) for name in "abc"]
actors = st.sampled_from(ACTORS)
moments = st.integers(0, 8)

posts = st.tuples(
    st.just("post"), moments, st.sampled_from(["tell", "send", "ask"]), actors, actors
)
accidents = st.tuples(
    st.just("accident"), moments, st.sampled_from(["crash", "remove", "revoke"]), actors
)
PLANS = st.lists(st.one_of(posts, posts, posts, accidents), min_size=5, max_size=40)


@attrs.define
class Ledger:
    """Carries a plan out and writes down how each message ended."""

    world: object
    nursery: trio.Nursery
    ends: Counter = attrs.field(factory=Counter)
    answers: Counter = attrs.field(factory=Counter)
    unsure: set = attrs.field(factory=set)
    """Messages whose sender left before it knew whether they were delivered."""
    revoked: set = attrs.field(factory=set)
    instances: dict = attrs.field(factory=dict)
    posted: int = 0

    def gate(self, envelope):
        if envelope.sender in self.revoked:
            raise NotGranted("revoked")

    def end(self, payload, way):
        self.ends[payload, way] += 1
        event(way)

    async def post(self, moment, way, sender, target):
        self.posted += 1
        payload = b"%d" % self.posted
        await trio.sleep(moment)
        self.unsure.add(payload)
        with trio.move_on_after(moment % 4 + 0.5):
            try:
                await self.deliver(way, sender, target, payload)
            except (AskTimedOut, CalleeFailed):
                return
            except MessagingError:
                self.end(payload, "refused")
            self.unsure.discard(payload)

    async def deliver(self, way, sender, target, payload):
        world = self.world
        if way == "ask":
            timeout = self.posted % 5 + 0.125
            await world.ask(target, sender, payload, timeout=timeout)
            self.answers[payload] += 1
        elif way == "send":
            await world.broker.send(world.letter(target, sender, payload))
        else:
            world.broker.tell(world.letter(target, sender, payload))

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
        if envelope := mailbox.release():
            self.give_up(envelope)
        self.start(victim, mailbox)

    def give_up(self, envelope):
        self.world.broker.dead_letter(envelope, "accident")
        self.end(envelope.payload, "given up")

    def start(self, name, mailbox):
        scope = self.instances[name] = trio.CancelScope()
        self.nursery.start_soon(self.act, mailbox, scope)

    async def act(self, mailbox, scope):
        with scope:
            while True:
                envelope = await mailbox.take()
                await trio.sleep(1.5)
                if envelope.reply is not None:
                    envelope.reply.answer(b"")
                mailbox.release()
                self.end(envelope.payload, "handled")

    def finish(self):
        world = self.world
        for name in world.registry.ids():
            for envelope in world.registry.unregister(name).close():
                self.end(envelope.payload, "queued")
        per_message = Counter(payload for payload, _ in self.ends.elements())
        for number in range(1, self.posted + 1):
            payload = b"%d" % number
            lost = per_message[payload] == 0
            assert per_message[payload] <= 1, self.ends
            assert not lost or payload in self.unsure, f"{payload} is lost"
        given_up = sum(n for (_, way), n in self.ends.items() if way == "given up")
        told = [e for e in world.events if isinstance(e, DeadLetter)]
        assert sum(e.why == "accident" for e in told) == given_up
        for payload in self.answers:
            assert self.ends[payload, "handled"] == self.answers[payload] == 1
        world.assert_at_rest()


async def carry_out(world, plan):
    async with trio.open_nursery() as service:
        await service.start(world.broker.run)
        ledger = Ledger(world, service)
        world.gates.append(ledger.gate)
        for name in ACTORS:
            ledger.start(name, world.open(name, 2))
        async with trio.open_nursery() as steps:
            for kind, *step in plan:
                steps.start_soon(getattr(ledger, kind), *step)
        for scope in ledger.instances.values():
            scope.cancel()
        await trio.sleep(10)
        ledger.finish()
        service.cancel_scope.cancel()


@given(PLANS)
def test_every_message_ends_exactly_one_way(make_world, plan):
    trio.run(carry_out, make_world(), plan, clock=MockClock(autojump_threshold=0))
