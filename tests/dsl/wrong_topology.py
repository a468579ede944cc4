"""A topology with mistakes; `# !` names for each the end of its path in the tree.

Several in one line are parted by blanks.
"""

from pathlib import Path

from airssys.dsl import actor, component, supervisor, topology

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"


@component("gone.wasm")  # ! .artifact
class Gone:
    """Its artifact is not there."""


@component("..", restart="sometimes")  # ! .artifact .restart
class Folder:
    """Its artifact is a folder."""

    ENV = "never read"  # ! .folder.ENV


LIMITS = {"memory_bytes": -1, "fule": 3}
WHOLE = {"limits": LIMITS, "env": {"A": 1}, "shutdown": -3, "mailbox": 0}


@component(SHOUT, **WHOLE)  # ! .mailbox .memory_bytes .fule .env .shutdown
class Limited:
    """All its numbers are wrong."""


async def undecorated(context, envelope): ...


@actor(mailbx=3)  # ! .mailbx
async def printer(context, envelope): ...


@actor  # ! .behaviour
class Mute:
    """Has no method to handle with."""


@actor(mailbox=3)  # ! .children[4]
@actor
class Clerk:
    async def handle(self, context, envelope): ...


@supervisor(restarts=-1)  # ! .intensity.restarts
class Workers:  # ! .again
    limited = Limited
    count = 3  # ! .count
    undecorated = undecorated  # ! .undecorated
    twins = actor("twin", printer), actor("twin", printer)  # ! .id
    nameless = (Limited,)  # ! .nameless[0]
    only_annotated: int  # ! .only_annotated
    made = Mute()  # ! .made
    generator = (actor(f"g{n}", printer) for n in range(3))  # ! .generator


# Written late, so that it is only known for which class: it contains itself.
Workers.again = Workers


@supervisor
async def misplaced(context, envelope): ...


@topology
class Inner:
    """A whole system, which cannot be a child."""


@topology(stop_timeout=-1, engine=9, per=1)  # ! .stop_timeout .engine .per
class App:
    gone = Gone
    folder = Folder
    printer = printer
    mute = Mute
    clerk = Clerk
    named = component(SHOUT, names=["no/good", "named"])  # ! .id
    empty = component(SHOUT, names=())  # ! .empty
    workers = Workers
    twice = Workers  # ! .twice
    misplaced = misplaced  # ! .misplaced
    inner = Inner  # ! .inner
    nothing = None  # ! .nothing
    arguments = actor("arguments", Clerk, 1, 2)  # ! .arguments
    slow = actor("slow", printer, start_timeout=0)  # ! .start_timeout
