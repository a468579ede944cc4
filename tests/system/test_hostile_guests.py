"""Guests that give the host much to do delay no other actor, whatever they pass.

How long a step of a task takes is measured in processor time of the Trio thread, so that
a loaded machine does not count, and against work of a known size in the same run.
"""

import gc
import time

import pytest
import trio

from airssys import Limits, Quotas, actor, blueprint, component, open_system
from airssys.contracts import BRUTAL_KILL, KIB, MIB, NO_BACKOFF, ComponentId
from airssys.security import everything
from wasm_support import GUESTS

LIMITS = Limits(execution_time=3600, host_call_bytes=16 * MIB, memory_bytes=64 * MIB)
CROWD = 4
PARTS = 20
LISTENERS = 8000


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


class Steps(trio.abc.Instrument):
    """Processor seconds of each step that a guest's task takes, garbage apart."""

    def __init__(self):
        self.took, self._began, self._garbage = [], 0.0, 0.0

    def __enter__(self):
        gc.callbacks.append(self._note_garbage)
        trio.lowlevel.add_instrument(self)
        return self

    def __exit__(self, *_):
        trio.lowlevel.remove_instrument(self)
        gc.callbacks.remove(self._note_garbage)

    def before_task_step(self, task):
        self._began, self._garbage = time.thread_time(), 0.0

    def after_task_step(self, task):
        if "crowd" in task.name:
            took = time.thread_time() - self._began - self._garbage
            self.took.append(took)

    def _note_garbage(self, phase, info):
        sign = -1 if phase == "start" else 1
        self._garbage += sign * time.thread_time()


def tick():
    """Processor seconds of what takes about 5 ms on a quiet machine of 2024."""
    began = time.thread_time()
    sum(i * i for i in range(80_000))
    return time.thread_time() - began


async def echo(context, envelope):
    return envelope.payload


async def ignore(context, envelope):
    pass


def others(count):
    return [actor(f"other-{n}", ignore) for n in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("guest", "much", "neighbours"),
    [
        ("broadcast-flood", 16_000, 0),
        ("log-large-flood", 4_000_000, 0),
        ("send-large-flood", 2_000_000, 0),
        ("get-flood", 2_000_000, 0),
        ("scan-flood", 20_000, 0),
        ("list-flood", 0, 3000),
        ("publish-flood", 0, 0),
        ("subscribe-flood", 1000, 0),
    ],
)
async def test_no_host_call_holds_the_thread(guest, much, neighbours, cache):
    crowd = [
        component(
            f"crowd-{n}",
            GUESTS / f"{guest}.wat",
            limits=LIMITS,
            shutdown=BRUTAL_KILL,
            backoff=NO_BACKOFF,
            can=everything(),
            quotas=Quotas.unlimited(),
        )
        for n in range(CROWD)
    ]
    plan = blueprint(actor("honest", echo), *others(neighbours), *crowd)
    asks = 0
    async with open_system(plan, cache_directory=cache) as system:
        for _ in range(LISTENERS if guest == "publish-flood" else 0):
            system.subscribe("flood", capacity=1)
        for each in crowd:
            system.tell(each.id, str(much).encode())
        with trio.move_on_after(1), Steps() as warming_up:
            await trio.sleep_forever()
        ticks = [tick() for _ in range(PARTS)]
        with trio.move_on_after(2), Steps() as steps:
            while True:
                assert await system.ask("honest", b"x", timeout=20) == b"x"
                asks += 1
                ticks.append(tick())
                await trio.sleep(0.01)
    assert asks
    assert warming_up.took or steps.took
    assert steps.took == [] or max(steps.took) < 4 * max(ticks)


@pytest.mark.slow
async def test_names_that_are_not_there_are_not_objects_that_the_collector_visits(
    cache,
):
    # A full collection stops the thread, and takes as long as there are such objects.
    flood = component(
        "crowd",
        GUESTS / "broadcast-flood.wat",
        limits=LIMITS,
        shutdown=BRUTAL_KILL,
        backoff=NO_BACKOFF,
        can=everything(),
        quotas=Quotas.unlimited(),
    )
    async with open_system(blueprint(flood), cache_directory=cache) as system:
        gc.collect()
        before, most, ids = len(gc.get_objects()), 0, 0
        system.tell("crowd", b"16000")
        for _ in range(40):
            await trio.sleep(0.005)
            gc.collect()  # what is let go, and tuples of texts, are not visited again
            kinds = [type(each) for each in gc.get_objects()]
            most, ids = max(most, len(kinds)), max(ids, kinds.count(ComponentId))
    assert ids < KIB + 200, "those that are cached, and few more"
    assert most - before < 16_000 / 4
