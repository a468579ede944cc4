"""A small world of actors without supervision: names, mailboxes, a broker, an echo."""

import attrs
import pytest

from airssys.contracts import ComponentId, OverflowRules
from airssys.messaging import Admission, Broker, Mailbox, Registry

ACTORS = tuple(ComponentId.parse(name) for name in "abcde")


@attrs.define
class World:
    """A broker, everything it tells observers, and gates that a test may add to."""

    registry: Registry = attrs.field(factory=Registry)
    events: list = attrs.field(factory=list)
    gates: list = attrs.field(factory=list)
    broker: Broker = attrs.field(init=False)

    def __attrs_post_init__(self):
        self.broker = Broker(
            Admission(self.registry, (self.pass_gates,)),
            events=self.events.append,
            wall_clock=lambda: 123,
        )

    def pass_gates(self, envelope):
        for gate in self.gates:
            gate(envelope)

    def open(self, owner, capacity=10, rules=OverflowRules(), **options):  # noqa: B008  # frozen
        mailbox = Mailbox(owner, capacity, rules, **options)
        self.registry.register(mailbox)
        return mailbox

    def letter(self, target, sender, payload=b"", **fields):
        return self.broker.sign(target, sender, payload, **fields)

    def ask(self, target, sender, payload=b"", *, timeout=10, **keywords):
        keywords.setdefault("waiter", sender)
        return self.broker.ask(target, sender, payload, timeout=timeout, **keywords)

    def remove(self, owner, why="gone"):
        for envelope in self.registry.unregister(owner).close():
            self.broker.dead_letter(envelope, why)

    def assert_at_rest(self):
        assert self.broker.pending_count == 0
        assert self.broker.waits.edges() == frozenset()


async def echo(mailbox):
    while True:
        envelope = await mailbox.take()
        envelope.reply.answer(envelope.payload)
        mailbox.release()


@pytest.fixture(scope="session")
def names():
    return ACTORS


@pytest.fixture
def world():
    """A world that must be at rest when the test is over."""
    world = World()
    yield world
    world.assert_at_rest()


@pytest.fixture(scope="session")
def make_world():
    return World


@pytest.fixture
def serve_echo():
    return echo


@pytest.fixture
async def served(world, nursery):
    """The same world, its deadlines served."""
    await nursery.start(world.broker.run)
    return world
