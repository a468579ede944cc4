"""A topology declared by decorators, which the `airssys` command takes as well.

    python examples/topology.py
    airssys tree examples/topology.py:App
    airssys check examples/topology.py:App
    airssys run examples/topology.py:App

Decorators only record: importing this file starts nothing. A class body is a list of
children, which start in this order and stop in reverse. An actor has the name of the
attribute that holds it, unless its declaration has `names`.
"""

from airssys import (
    ActorContext,
    Envelope,
    Limits,
    System,
    actor,
    component,
    render,
    run,
    supervisor,
    topology,
)


@component("shout.wat", names=("loud", "louder"), limits=Limits(execution_time=1.0))
class Shout:
    """WebAssembly from a file in this folder: two actors with the same code."""


@actor(mailbox=10)
async def greeter(context: ActorContext, envelope: Envelope) -> bytes | None:
    """Greet the person that the message names, in capitals from a component."""
    return await context.ask("loud", b"hello, " + envelope.payload)


@actor(restart="transient")
class Counter:
    """Count the greetings; each start of the actor makes a new instance of the class."""

    def __init__(self) -> None:
        self.seen = 0

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        self.seen += 1
        return b"%d: %s" % (self.seen, envelope.payload)


@supervisor(restarts=5, period=10)
class Components:
    shout = Shout


@topology(stop_timeout=10)
class App:
    components = Components
    greeter = greeter
    counter = Counter


async def main(system: System) -> None:
    print(render(system.tree()))
    for name in (b"world", b"trio"):
        greeting = await system.ask("greeter", name)
        print(await system.ask("counter", greeting or b""))


if __name__ == "__main__":
    run(App, main)
