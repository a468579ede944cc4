"""Ask an actor that crashes while answering: the asker is notified at once, and asks again."""

import trio

from airssys import (
    ActorContext,
    CalleeFailed,
    Envelope,
    System,
    actor,
    blueprint,
    run,
)


async def divide(context: ActorContext, envelope: Envelope) -> bytes:
    await trio.sleep(0.01)  # it takes its time
    left, right = map(int, envelope.payload.split(b"/"))
    return str(left // right).encode()


async def clerk(context: ActorContext, envelope: Envelope) -> bytes:
    """Ask on behalf of another actor, and keep running when that fails."""
    try:
        answer = await context.ask("divider", envelope.payload)
    except CalleeFailed as failure:
        print(f"{failure.target.name} {failure.reason.value} by {failure.error!r}")
        answer = await context.ask("divider", b"0/1")
    return answer or b""


async def main(system: System) -> None:
    for question in (b"12/3", b"1/0", b"9/3"):
        answer = await system.ask("clerk", question)
        print(question.decode(), "=", (answer or b"").decode())


if __name__ == "__main__":
    run(blueprint(actor("divider", divide), actor("clerk", clerk)), main)
