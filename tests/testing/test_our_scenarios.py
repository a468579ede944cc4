"""Wherever it is struck, a system leaves nothing behind."""

import pytest
import trio

from airssys.contracts import (
    NO_BACKOFF,
    ChildEvent,
    ChildStarted,
    Done,
    LifeState,
    Strategy,
    follow,
)
from airssys.dsl import blueprint, pool
from airssys.testing import (
    EventRecord,
    FakeLoader,
    Probe,
    cancel_at_every_step,
    raise_at_every_checkpoint,
    watched_system,
)
from tests.nursery.company import component


class Scene:
    """A scenario, and all that could be left of its last run."""

    def __init__(self, act, **options):
        self.act, self.options = act, options
        self.whole = self.runs = 0

    async def __call__(self):
        self.runs += 1
        self.record, self.loader = EventRecord(), FakeLoader()
        self.system = None
        self.inside = 0
        self.probe = Probe("probe", answer=self.answer, backoff=NO_BACKOFF)
        options = dict(self.options)
        also = [options.pop("also")] if "also" in options else []
        tree = blueprint(
            self.probe.spec,
            component("guest", backoff=NO_BACKOFF),
            *also,
            restarts=10,
            **options,
        )
        options = {"open_loader": self.loader}
        async with watched_system(tree, self.record, **options) as self.system:
            await self.act(self)
        self.whole += 1

    async def answer(self, context, envelope):
        self.inside += 1
        try:
            await trio.sleep(1)
        finally:
            self.inside -= 1
        return b"answered"

    def check(self):
        lives = follow(self.record.of(ChildEvent))
        assert set(lives.values()) <= {LifeState.ABSENT, LifeState.RESTARTING}
        assert not self.loader.is_open
        assert all(c.open_guests == 0 for c in self.loader.components.values())
        assert self.inside == 0
        if self.system is not None:
            assert self.system._broker.pending_count == 0
            assert self.system._registry.ids() == ()


async def ask(scene):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.system.ask, "guest", b"count")
        assert await scene.system.ask("probe", b"?") == b"answered"


async def restart_all(scene):
    scene.probe.will_answer(ValueError("on purpose"))
    scene.system.tell("probe", b"crash")
    await scene.record.next(ChildStarted, child="local/guest/0", restarts=1)
    assert await scene.system.ask("guest", b"count") == b"1"


async def resize(scene):
    assert await scene.system.resize("packers", 3) == Done("packers")
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(scene.system.ask, "packers", b"%d" % number)
        assert await scene.system.resize("packers", 1) == Done("packers")


PACKERS = pool("packers", component("packer", backoff=NO_BACKOFF, mailbox=1), size=2)

SCENES = [
    pytest.param(ask, {}, id="ask"),
    pytest.param(restart_all, {"strategy": Strategy.ONE_FOR_ALL}, id="one_for_all"),
    pytest.param(resize, {"also": PACKERS}, id="pool"),
]


@pytest.mark.parametrize(("act", "options"), SCENES)
async def test_cancelled_after_any_step(act, options, autojump_clock):
    scene = Scene(act, **options)
    steps = await cancel_at_every_step(scene, scene.check)
    assert steps > 30
    assert scene.whole >= 1


@pytest.mark.parametrize(("act", "options"), SCENES)
async def test_interrupted_in_any_wait(act, options, autojump_clock):
    scene = Scene(act, **options)
    waits = await raise_at_every_checkpoint(scene, check=scene.check)
    assert waits >= 3
    assert scene.whole == 1
