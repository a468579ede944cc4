"""A component and a Python actor talk to each other.

`shout` is WebAssembly, written out in `shout.wat`; `greeter` is Python. Both are actors
with a name and a mailbox, and neither can tell what the other is made of.
"""

from pathlib import Path

from airssys import ActorContext, Envelope, System, actor, blueprint, component, run

SHOUT = Path(__file__).with_name("shout.wat")


async def greeter(context: ActorContext, envelope: Envelope) -> bytes:
    """Greet the person that the message names, in capitals from a component."""
    loud = await context.ask("shout", b"hello, " + envelope.payload)
    return (loud or b"") + b"!"


async def main(system: System) -> None:
    for name in (b"world", b"trio"):
        answer = await system.ask("greeter", name)
        print(answer)


run(blueprint(component("shout", SHOUT), actor("greeter", greeter)), main)
