"""A tour of supervision: what fails is restarted, and every listener is notified.

    python examples/supervision_tour.py
    airssys tree examples/supervision_tour.py:Tour

Each stop of the tour does something to a running system and prints what happened, as
events and as the tree. The clock jumps over every wait, so that the tour takes no time
and prints the same each time; a program of yours leaves that argument out.
"""

import logging
from pathlib import Path

import trio

from airssys import (
    ActorContext,
    Artifact,
    CalleeFailed,
    ChildExited,
    ChildStarted,
    DeadLetter,
    Envelope,
    Event,
    EventStream,
    HealthChanged,
    HealthStatus,
    HookFailed,
    MessageFailed,
    SupervisorGaveUp,
    System,
    TaskContext,
    actor,
    component,
    dynamic_supervisor,
    open_system,
    render,
    supervisor,
    task,
    topology,
)
from airssys.testing import steady_clock

TALLY = Path(__file__).with_name("tally.wat")
WIDTH = 90


@actor(
    backoff={"first": 1.0, "factor": 2.0},
    on_error={ValueError: "resume"},
    poison="retry",
    hook_timeout=1.0,
)
class Store:
    """Keeps each message; refuses an empty one, and crashes on fire."""

    def __init__(self) -> None:
        self.kept = 0

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        """Keep a message."""
        if not envelope.payload:
            raise ValueError("nothing to keep")
        if envelope.payload == b"fire":
            raise OSError("the disk burns")
        self.kept += 1
        return str(self.kept).encode()

    async def before_restart(self, context: ActorContext, reason: object) -> None:
        """Hang, until it is cancelled."""
        await trio.sleep_forever()


@actor
async def reader(context: ActorContext, envelope: Envelope) -> bytes | None:
    """Ask the store."""
    return await context.ask("store", envelope.payload, timeout=60.0)


@supervisor(strategy="rest_for_one", restarts=10)
class Storage:
    """A reader needs its store, so it is restarted along with it."""

    store = Store
    reader = reader


@actor(restart="temporary")
class Session:
    """One user; comes and goes."""

    def __init__(self, user: bytes) -> None:
        self.user = user

    async def handle(self, context: ActorContext, envelope: Envelope) -> bytes:
        """Answer in the user's name."""
        return self.user + b" said " + envelope.payload


@actor(poison="quarantine", backoff={"first": 0.0})
async def parser(context: ActorContext, envelope: Envelope) -> bytes:
    """Take numbers, and crash on everything else."""
    await trio.lowlevel.checkpoint()
    return b"%d" % int(envelope.payload)


@actor(health={"interval": 10.0, "threshold": 2}, backoff={"first": 0.0})
class Pump:
    """Reports that it is healthy, until it has run dry."""

    def __init__(self) -> None:
        self.is_dry = False

    async def handle(self, context: ActorContext, envelope: Envelope) -> None:
        """Run dry."""
        self.is_dry = True

    async def health(self, context: ActorContext) -> HealthStatus:
        """Answer a probe."""
        return HealthStatus.UNHEALTHY if self.is_dry else HealthStatus.HEALTHY


@supervisor(restarts=1, restart="temporary")
class Hopeless:
    """Gives up soon, and is not restarted."""

    fuse = actor("fuse", parser, poison="drop")


@task(restart="transient", significant=True, context=True)
async def curtain(context: TaskContext) -> None:
    """End the whole system when an hour is over."""
    context.started()
    await trio.sleep(3600)


@topology(auto_shutdown="any_significant", restarts=10, stop_budget=60)
class Tour:
    """The whole tree of the tour."""

    storage = Storage
    sessions = dynamic_supervisor(Session, max_children=2)
    parser = parser
    pump = Pump
    tally = component(TALLY)
    hopeless = Hopeless
    curtain = curtain


def describe(event: Event) -> str:
    """Describe an event in one line."""
    match event:
        case ChildStarted(_, child, restarts):
            line = f"{child} is ready" + (f", restart {restarts}" if restarts else "")
        case ChildExited(_, child, reason, restarting=again):
            line = f"{child} ended, {reason}" + (": restarting it" if again else "")
        case SupervisorGaveUp(path, offence):
            line = f"{path} gave up on {offence.child}"
        case HealthChanged(who, status, before):
            line = f"{who} is {status.value}, was {before.value}"
        case HookFailed(who, hook, error):
            line = f"{who}: {hook}: {error}"
        case MessageFailed(who, _, error):
            line = f"{who} refused a message: {error}"
        case DeadLetter(target, size=size, reason=why):
            line = f"{target}: dead letter of {size} bytes, {why.value}"
        case other:
            line = str(other)
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


class Guide:
    """Walks through the tour."""

    def __init__(self, system: System, events: EventStream) -> None:
        self.system, self.events = system, events

    def stop(self, title: str) -> None:
        """Begin the next stop."""
        print(f"\n== {title}")

    def show(self, *, tree: bool = False) -> None:
        """Print what has happened since, and the tree if it is wanted."""
        while True:
            try:
                print("  *", describe(self.events.next_nowait()))
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        if tree:
            print(render(self.system.tree()))

    async def ask(self, name: str, payload: bytes) -> None:
        """Ask, and print the result."""
        try:
            answer = await self.system.ask(name, payload, timeout=60.0)
            print(f"  {name} <- {payload!r}: {answer!r}")
        except CalleeFailed as failure:
            print(f"  {name} <- {payload!r}: it {failure.reason.value}")
        await trio.sleep(0.5)


async def failures(guide: Guide) -> None:
    """Show what happens to errors, and to the messages that caused them."""
    guide.stop("An error that the store resumes from keeps its state")
    await guide.ask("store", b"a")
    await guide.ask("store", b"")
    await guide.ask("store", b"b")
    guide.show()

    guide.stop("One that it does not: a hook that hangs, a pause, one more try")
    await guide.ask("store", b"fire")
    guide.show()
    await trio.sleep(5)
    await guide.ask("reader", b"c")
    guide.show()

    guide.stop("A message that would crash its actor again is kept apart")
    await guide.ask("parser", b"12")
    await guide.ask("parser", b"twelve")
    guide.show()
    for message in guide.system.quarantine.messages():
        print(f"  kept: {message.payload!r} for {message.target}, {message.why}")


async def changes(guide: Guide) -> None:
    """Show children that come and go, and code that is replaced."""
    guide.stop("Children that come and go")
    sessions = guide.system.supervisor("root/sessions")
    for user in (b"ann", b"bob", b"eve"):
        print(" ", await sessions.start_from_template(user))
    await guide.ask("local/sessions/1", b"hello")
    print(" ", await sessions.terminate_child("local/sessions/2"))
    guide.show()

    guide.stop("New code takes over, with the state of the old one")
    await guide.ask("tally", b"x")
    await guide.ask("tally", b"x")
    text = TALLY.read_text("utf-8")
    tens = text.replace("(i32.const 1))) ;; the step", "(i32.const 10)))")
    print(" ", await guide.system.replace("tally", Artifact.from_text(tens, "tens")))
    await guide.ask("tally", b"x")
    unfit = Artifact.from_text("(component)", "unfit")
    answer = await guide.system.replace("tally", unfit)
    print(f"  {str(answer).partition(' (')[0]}")
    await guide.ask("tally", b"x")
    guide.show()


async def ends(guide: Guide) -> None:
    """Show a supervisor that gives up, and a task that ends the system."""
    guide.stop("An actor that fails its probes")
    await guide.ask("pump", b"run dry")
    await trio.sleep(40)
    guide.show()

    guide.stop("A supervisor that has had enough")
    await guide.ask("fuse", b"not a number")
    await guide.ask("fuse", b"nor this one")
    guide.show(tree=True)

    guide.stop("The end of a significant child is the end of the system")
    await trio.sleep(4000)


async def main() -> None:
    """Walk through the tour."""
    opening = open_system(Tour)
    events = opening.listen()
    async with opening as system:
        guide = Guide(system, events)
        guide.stop("The tree, as it was declared")
        guide.show(tree=True)
        await failures(guide)
        await changes(guide)
        await ends(guide)
    guide.show()


if __name__ == "__main__":
    logging.getLogger("airssys").setLevel(logging.CRITICAL)  # all that is printed here
    trio.run(main, clock=steady_clock())
