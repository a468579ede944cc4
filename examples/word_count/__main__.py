"""Count words with four sandboxed components, two of which break on certain lines.

    python examples/word_count [FILE ...]

All four run the same WebAssembly code, built from `guest/word_counter.py`; only their
configuration differs. They share the texts, which are this project's documents and the
files given. A piece that a worker fails on goes to a steady one, so the totals must
equal those of a plain count, which the last lines check.
"""

import argparse
import functools
import logging
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import trio
from guest_build import CACHE, IN_CHECKOUT, ROOT, build_guest
from texts import Piece, read_pieces

from airssys import (
    ActorContext,
    Blueprint,
    ChildExited,
    ChildStarted,
    ComponentId,
    Envelope,
    EventStream,
    ExitReason,
    GuestTrapped,
    Limits,
    MessagingError,
    System,
    actor,
    blueprint,
    component,
    render,
    run,
    supervisor,
)

STEADY = ("steady-1", "steady-2")
WORKERS = {
    "steady-1": {},
    "steady-2": {},
    "trapping": {"TRAPS_ON": "trap"},
    "looping": {"LOOPS_ON": "loop"},
}
"""Each worker with its environment."""
LIMITS = Limits(execution_time=0.5)
PATIENCE = 3
"""A worker that failed this many times gets no more pieces."""
DEADLINE = 60.0
"""Seconds for a piece. It takes a millisecond, on a machine that does nothing else."""
VERSES = Path(__file__).with_name("verses.txt")
"""Every piece of it has a word to trap on and one to loop on."""


def declare(guest: Path) -> Blueprint:
    """Declare the tree: a Python actor, and a supervisor of four components."""
    workers = [
        component(name, guest, env=env, limits=LIMITS) for name, env in WORKERS.items()
    ]
    return blueprint(
        actor("totals", Totals),
        supervisor("workers", *workers, restarts=10, period=60),
    )


class Totals:
    """The Python actor: adds up what the components have counted."""

    def __init__(self) -> None:
        self.words: Counter[bytes] = Counter()

    async def handle(self, _: ActorContext, envelope: Envelope) -> bytes:
        self.words.update(read_counts(envelope.payload))
        return b"\n".join(b"%d %s" % (n, word) for word, n in self.words.items())


def read_counts(text: bytes) -> Counter[bytes]:
    """Read lines of a number, a blank and a word."""
    pairs = map(bytes.split, text.splitlines())
    return Counter({word: int(often) for often, word in pairs})


class Story:
    """Prints what happens, as it happens."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def tell(self, who: str, what: str) -> None:
        seconds = time.monotonic() - self.began
        print(f"{seconds:7.2f} s  {who:9}  {what}", flush=True)

    async def follow(self, events: EventStream) -> None:
        async for event in events:
            match event:
                case ChildExited(
                    child=child, reason=ExitReason(error=GuestTrapped() as e)
                ):
                    why = f"{e.reason.name}, {e.text.removeprefix('wasm trap: ')}"
                    self.tell(ComponentId.parse(child).name, f"crashed: {why}")
                case ChildStarted(child=child, restarts=restarts):
                    again = f"started again, restart {restarts}"
                    self.tell(ComponentId.parse(child).name, again)
                case _:
                    pass


async def count_all(pieces: list[Piece], system: System) -> bytes:
    """Let each worker count every fourth piece, all four at the same time."""
    print(f"workers  {' and '.join(STEADY)} count")
    print("         trapping traps on lines with 'trap'")
    print("         looping loops forever on lines with 'loop', until it is cut off\n")
    story = Story()
    events = system.events()
    async with trio.open_nursery() as listening:
        listening.start_soon(story.follow, events)
        async with trio.open_nursery() as nursery:
            for number, worker in enumerate(WORKERS):
                share = pieces[number :: len(WORKERS)]
                nursery.start_soon(count_share, system, story, worker, share)
        events.end()
    print(f"\n{render(system.tree())}\n")
    return await system.ask("totals", b"", timeout=DEADLINE) or b""


async def count_share(
    system: System, story: Story, worker: str, pieces: list[Piece]
) -> None:
    """Give one worker its pieces, and give those it fails on to a steady one."""
    broke = 0
    for number, piece in enumerate(pieces):
        if broke < PATIENCE and await is_counted(system, worker, piece):
            continue
        helper = STEADY[number % len(STEADY)]
        if not await is_counted(system, helper, piece):
            story.tell(helper, f"did not count {piece.name} either")
        elif broke < PATIENCE:
            story.tell(helper, f"counted {piece.name} instead")
        if broke < PATIENCE:
            broke += 1
            if broke == PATIENCE:
                story.tell(worker, f"broke {broke} times: it gets no more pieces")
    story.tell(worker, f"done: its share was {len(pieces)} pieces, it broke on {broke}")
    # One that broke last answers when it is back.
    await system.ask(worker, b"", timeout=DEADLINE)


async def is_counted(system: System, worker: str, piece: Piece) -> bool:
    """Let a worker count a piece; False if it could not."""
    try:
        counts = await system.ask(worker, piece.text, timeout=DEADLINE)
    except MessagingError:
        return False
    await system.send("totals", counts or b"")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="*", type=Path, help="counted too; - is stdin")
    given: list[Path] = parser.parse_args().file
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if not IN_CHECKOUT:
        documents = []
    pieces = read_pieces([VERSES, *documents, *given])
    logging.getLogger("airssys").setLevel(logging.ERROR)  # `Story` prints crashes
    counted = read_counts(
        run(
            declare(build_guest()),
            functools.partial(count_all, pieces),
            cache_directory=CACHE,
        )
        or b""
    )
    plain = Counter(b"\n".join(piece.text for piece in pieces).lower().split())
    for who, words in ("components", counted), ("plain Python", plain):
        print(f"{who:12}  {words.total():9,} words, {len(words):7,} different")
    if counted != plain:
        print("NOT EQUAL")
        return 1
    print("equal, word by word")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly under `| head`
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
