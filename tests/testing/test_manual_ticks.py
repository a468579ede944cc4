"""A guest that never pauses by itself is interrupted at the test's tick, and there only."""

import pytest
import trio

from airssys.contracts import Artifact, ComponentConfig, EngineSettings, Limits
from airssys.testing import ManualTicks
from airssys.wasm import open_runtime
from airssys.wasm.instances._turns import Turns
from pace import PATIENCE
from wasm_support import GUESTS, ScriptedServices, envelope

EVERY = 100
TICK = 0.1
"""So long that no slice ends in a host call, because its time is over."""


class TickingServices(ScriptedServices):
    """Ticks at each hundredth line of the log."""

    def __init__(self, ticks):
        super().__init__()
        self.ticks, self.lines = ticks, 0

    def log(self, level, message, context):
        self.lines += 1
        if self.lines % EVERY == 0:
            self.ticks.tick()


async def test_slices_end_at_ticks_only(monkeypatch):
    ticks, ends = ManualTicks(), []
    services = TickingServices(ticks)
    enough = trio.Event()
    next_slice = Turns.next_slice

    async def note_end(turns):
        ends.append(services.lines)
        if len(ends) == 2:
            enough.set()
        await next_slice(turns)

    monkeypatch.setattr(Turns, "next_slice", note_end)
    async with open_runtime(EngineSettings(tick=TICK), make_ticks=ticks) as loader:
        component = await loader.load(Artifact.at(GUESTS / "log-flood.wat"))
        guest = await component.instantiate(Limits(), services)
        try:
            await guest.initialize(ComponentConfig())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(guest.handle_message, envelope())
                with trio.fail_after(PATIENCE):
                    await enough.wait()
                nursery.cancel_scope.cancel()
        finally:
            guest.close()
    assert all(ends)
    assert [lines % EVERY for lines in ends] == [0] * len(ends)
    assert ticks.count == services.lines // EVERY
    assert ticks.is_closed


def test_ticks_belong_to_one_open_runtime():
    ticks = ManualTicks()
    with pytest.raises(RuntimeError, match="no runtime"):
        ticks.tick()
    ticks(0.005, lambda: None, ())
    ticks.tick(3)
    assert ticks.count == 3
    with pytest.raises(RuntimeError, match="belong to another runtime"):
        ticks(0.005, lambda: None, ())
    ticks.close()
    with pytest.raises(RuntimeError, match="no runtime"):
        ticks.tick()
