"""A guest that never pauses by itself is interrupted at the test's tick, and there only."""

import pytest
import trio

from airssys.contracts import Artifact, ComponentConfig, EngineSettings, Limits
from airssys.testing import HandTicks
from airssys.wasm import open_runtime
from wasm_support import GUESTS, ScriptedServices, envelope

EVERY = 100


class TickingServices(ScriptedServices):
    """Ticks at each hundredth line of the log."""

    def __init__(self, ticks):
        super().__init__()
        self.ticks, self.lines = ticks, 0

    def log(self, level, message, context):
        self.lines += 1
        if self.lines % EVERY == 0:
            self.ticks.tick()


async def test_slices_end_at_ticks_only():
    ticks, seen = HandTicks(), []
    services = TickingServices(ticks)
    async with open_runtime(EngineSettings(), make_ticks=ticks) as loader:
        path = GUESTS / "log-flood.wat"
        component = await loader.load(Artifact.at(path))
        guest = await component.instantiate(Limits(), services)
        try:
            await guest.initialize(ComponentConfig())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(guest.handle_message, envelope())
                while len(seen) < 5:
                    await trio.lowlevel.checkpoint()
                    if services.lines and services.lines not in seen[-1:]:
                        seen.append(services.lines)
                nursery.cancel_scope.cancel()
        finally:
            guest.close()
    assert [lines % EVERY for lines in seen] in ([0] * 5, [1] * 5)
    assert ticks.count == services.lines // EVERY
    assert ticks.is_closed


def test_ticks_belong_to_one_open_runtime():
    ticks = HandTicks()
    with pytest.raises(RuntimeError, match="no runtime"):
        ticks.tick()
    ticks(0.005, lambda: None, ())
    ticks.tick(3)
    assert ticks.count == 3
    with pytest.raises(RuntimeError, match="one runtime"):
        ticks(0.005, lambda: None, ())
    ticks.close()
    with pytest.raises(RuntimeError, match="no runtime"):
        ticks.tick()
